import type { BodyCall } from "./body-calls.js";
import { lastName } from "./body-calls.js";

/** What one call does to one lock. */
export interface LockOperation {
  readonly does: "acquire" | "release" | "section";
  /** `spinlock`, `mutex`, `RCU`: locks of different families are never the same. */
  readonly family: string;
  /** Whether others wait for it: RCU readers, disabled preemption and interrupts exclude no other task. */
  readonly excludes: boolean;
  /** What it keeps out besides: softirqs, interrupts. */
  readonly flavour: Flavour;
  readonly mode: "read" | "write" | "exclusive";
  /** The lock as written, in normal form; empty for one that the primitive's name says. */
  readonly lock: string;
  /** Equal for what is taken to be one lock across functions: the family and the last name of the expression. */
  readonly key: string;
  readonly call: BodyCall;
}

export type Flavour = "plain" | "bh" | "irq" | "irqsave";

/** Primitives of one family in one mode, with the header that declares them. */
interface Row {
  readonly header: string;
  readonly family: string;
  readonly mode?: "read" | "write";
  readonly excludes?: false;
  /**
   * Which argument names the lock, from 0; `result`: the variable that the result is assigned to; `object`: the lock belongs
   * to an object of which the family has one; absent: there is only one, or one a CPU.
   */
  readonly lock?: number | "result" | "object";
  readonly flavour?: Flavour;
  readonly acquire: string;
  readonly release: string;
}

/** Names are separated by blanks. `guard(x)(…)` and `scoped_guard(x, …)` are in {@link GUARDS}. */
const ROWS: readonly Row[] = [
  {
    header: "include/linux/spinlock.h",
    family: "spinlock",
    lock: 0,
    acquire: "spin_lock spin_trylock spin_lock_nested",
    release: "spin_unlock",
  },
  {
    header: "include/linux/spinlock.h",
    family: "spinlock",
    lock: 0,
    flavour: "bh",
    acquire: "spin_lock_bh spin_trylock_bh",
    release: "spin_unlock_bh",
  },
  {
    header: "include/linux/spinlock.h",
    family: "spinlock",
    lock: 0,
    flavour: "irq",
    acquire: "spin_lock_irq spin_trylock_irq",
    release: "spin_unlock_irq",
  },
  {
    header: "include/linux/spinlock.h",
    family: "spinlock",
    lock: 0,
    flavour: "irqsave",
    acquire: "spin_lock_irqsave spin_trylock_irqsave spin_lock_irqsave_nested",
    release: "spin_unlock_irqrestore",
  },
  {
    header: "include/linux/spinlock.h",
    family: "spinlock",
    lock: 1,
    acquire: "atomic_dec_and_lock",
    release: "",
  },
  {
    header: "include/linux/refcount.h",
    family: "spinlock",
    lock: 1,
    acquire: "refcount_dec_and_lock",
    release: "",
  },
  {
    header: "include/linux/mm.h",
    family: "spinlock",
    lock: "result",
    acquire: "pmd_lock pud_lock pte_lockptr_lock pmd_trans_huge_lock pud_trans_huge_lock huge_pte_lock",
    release: "",
  },
  {
    header: "include/linux/spinlock.h",
    family: "raw spinlock",
    lock: 0,
    acquire: "raw_spin_lock raw_spin_trylock raw_spin_lock_nested",
    release: "raw_spin_unlock",
  },
  {
    header: "include/linux/spinlock.h",
    family: "raw spinlock",
    lock: 0,
    flavour: "bh",
    acquire: "raw_spin_lock_bh",
    release: "raw_spin_unlock_bh",
  },
  {
    header: "include/linux/spinlock.h",
    family: "raw spinlock",
    lock: 0,
    flavour: "irq",
    acquire: "raw_spin_lock_irq raw_spin_trylock_irq",
    release: "raw_spin_unlock_irq",
  },
  {
    header: "include/linux/spinlock.h",
    family: "raw spinlock",
    lock: 0,
    flavour: "irqsave",
    acquire: "raw_spin_lock_irqsave raw_spin_trylock_irqsave raw_spin_lock_irqsave_nested",
    release: "raw_spin_unlock_irqrestore",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "read",
    lock: 0,
    acquire: "read_lock read_trylock",
    release: "read_unlock",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "read",
    lock: 0,
    flavour: "bh",
    acquire: "read_lock_bh",
    release: "read_unlock_bh",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "read",
    lock: 0,
    flavour: "irq",
    acquire: "read_lock_irq",
    release: "read_unlock_irq",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "read",
    lock: 0,
    flavour: "irqsave",
    acquire: "read_lock_irqsave",
    release: "read_unlock_irqrestore",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "write",
    lock: 0,
    acquire: "write_lock write_trylock write_lock_nested",
    release: "write_unlock",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "write",
    lock: 0,
    flavour: "bh",
    acquire: "write_lock_bh",
    release: "write_unlock_bh",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "write",
    lock: 0,
    flavour: "irq",
    acquire: "write_lock_irq",
    release: "write_unlock_irq",
  },
  {
    header: "include/linux/rwlock.h",
    family: "rwlock",
    mode: "write",
    lock: 0,
    flavour: "irqsave",
    acquire: "write_lock_irqsave write_trylock_irqsave",
    release: "write_unlock_irqrestore",
  },
  {
    header: "include/linux/mutex.h",
    family: "mutex",
    lock: 0,
    acquire:
      "mutex_lock mutex_trylock mutex_lock_interruptible mutex_lock_killable mutex_lock_io mutex_lock_nested mutex_lock_interruptible_nested mutex_lock_killable_nested mutex_lock_nest_lock",
    release: "mutex_unlock",
  },
  {
    header: "include/linux/mutex.h",
    family: "mutex",
    lock: 1,
    acquire: "atomic_dec_and_mutex_lock refcount_dec_and_mutex_lock",
    release: "",
  },
  {
    header: "include/linux/ww_mutex.h",
    family: "ww_mutex",
    lock: 0,
    acquire: "ww_mutex_lock ww_mutex_lock_interruptible ww_mutex_trylock",
    release: "ww_mutex_unlock",
  },
  {
    header: "include/linux/rtmutex.h",
    family: "rt_mutex",
    lock: 0,
    acquire: "rt_mutex_lock rt_mutex_lock_interruptible rt_mutex_lock_killable rt_mutex_trylock",
    release: "rt_mutex_unlock",
  },
  {
    header: "include/linux/semaphore.h",
    family: "semaphore",
    lock: 0,
    acquire: "down down_interruptible down_killable down_timeout",
    release: "up",
  },
  {
    header: "include/linux/rwsem.h",
    family: "rwsem",
    mode: "read",
    lock: 0,
    acquire:
      "down_read down_read_trylock down_read_interruptible down_read_killable down_read_nested down_read_non_owner",
    release: "up_read up_read_non_owner",
  },
  {
    header: "include/linux/rwsem.h",
    family: "rwsem",
    mode: "write",
    lock: 0,
    acquire: "down_write down_write_trylock down_write_killable down_write_nested down_write_nest_lock",
    release: "up_write",
  },
  {
    header: "include/linux/percpu-rwsem.h",
    family: "percpu rwsem",
    mode: "read",
    lock: 0,
    acquire: "percpu_down_read percpu_down_read_trylock",
    release: "percpu_up_read",
  },
  {
    header: "include/linux/percpu-rwsem.h",
    family: "percpu rwsem",
    mode: "write",
    lock: 0,
    acquire: "percpu_down_write",
    release: "percpu_up_write",
  },
  {
    header: "include/linux/seqlock.h",
    family: "seqlock",
    mode: "write",
    lock: 0,
    acquire: "write_seqlock read_seqlock_excl",
    release: "write_sequnlock read_sequnlock_excl",
  },
  {
    header: "include/linux/seqlock.h",
    family: "seqlock",
    mode: "write",
    lock: 0,
    flavour: "bh",
    acquire: "write_seqlock_bh read_seqlock_excl_bh",
    release: "write_sequnlock_bh read_sequnlock_excl_bh",
  },
  {
    header: "include/linux/seqlock.h",
    family: "seqlock",
    mode: "write",
    lock: 0,
    flavour: "irq",
    acquire: "write_seqlock_irq read_seqlock_excl_irq",
    release: "write_sequnlock_irq read_sequnlock_excl_irq",
  },
  {
    header: "include/linux/seqlock.h",
    family: "seqlock",
    mode: "write",
    lock: 0,
    flavour: "irqsave",
    acquire: "write_seqlock_irqsave read_seqlock_excl_irqsave",
    release: "write_sequnlock_irqrestore read_sequnlock_excl_irqrestore",
  },
  {
    header: "include/linux/seqlock.h",
    family: "seqcount",
    mode: "write",
    lock: 0,
    acquire: "write_seqcount_begin raw_write_seqcount_begin write_seqcount_begin_nested",
    release: "write_seqcount_end raw_write_seqcount_end",
  },
  {
    header: "include/linux/rcupdate.h",
    family: "RCU",
    mode: "read",
    excludes: false,
    acquire: "rcu_read_lock",
    release: "rcu_read_unlock",
  },
  {
    header: "include/linux/rcupdate.h",
    family: "RCU",
    mode: "read",
    excludes: false,
    flavour: "bh",
    acquire: "rcu_read_lock_bh",
    release: "rcu_read_unlock_bh",
  },
  {
    header: "include/linux/rcupdate.h",
    family: "RCU-sched",
    mode: "read",
    excludes: false,
    acquire: "rcu_read_lock_sched rcu_read_lock_sched_notrace",
    release: "rcu_read_unlock_sched rcu_read_unlock_sched_notrace",
  },
  {
    header: "include/linux/srcu.h",
    family: "SRCU",
    mode: "read",
    excludes: false,
    lock: 0,
    acquire: "srcu_read_lock srcu_read_lock_notrace",
    release: "srcu_read_unlock srcu_read_unlock_notrace",
  },
  {
    header: "include/linux/irqflags.h",
    family: "interrupts",
    excludes: false,
    flavour: "irq",
    acquire: "local_irq_disable",
    release: "local_irq_enable",
  },
  {
    header: "include/linux/irqflags.h",
    family: "interrupts",
    excludes: false,
    flavour: "irqsave",
    acquire: "local_irq_save",
    release: "local_irq_restore",
  },
  {
    header: "include/linux/bottom_half.h",
    family: "softirqs",
    excludes: false,
    flavour: "bh",
    acquire: "local_bh_disable",
    release: "local_bh_enable",
  },
  {
    header: "include/linux/preempt.h",
    family: "preemption",
    excludes: false,
    acquire: "preempt_disable preempt_disable_notrace migrate_disable get_cpu",
    release: "preempt_enable preempt_enable_no_resched preempt_enable_notrace migrate_enable put_cpu",
  },
  {
    header: "include/linux/local_lock.h",
    family: "local lock",
    excludes: false,
    lock: 0,
    acquire: "local_lock local_lock_irq local_lock_irqsave",
    release: "local_unlock local_unlock_irq local_unlock_irqrestore",
  },
  {
    header: "include/net/sock.h",
    family: "socket lock",
    lock: "object",
    acquire: "lock_sock lock_sock_nested lock_sock_fast",
    release: "release_sock unlock_sock_fast",
  },
  {
    header: "include/net/sock.h",
    family: "socket spinlock",
    lock: "object",
    acquire: "bh_lock_sock bh_lock_sock_nested",
    release: "bh_unlock_sock",
  },
  {
    header: "include/linux/pagemap.h",
    family: "page lock",
    lock: "object",
    acquire: "lock_page trylock_page lock_page_killable folio_lock folio_trylock folio_lock_killable",
    release: "unlock_page folio_unlock",
  },
  {
    header: "include/linux/fs.h",
    family: "inode lock",
    mode: "write",
    lock: "object",
    acquire: "inode_lock inode_trylock inode_lock_nested",
    release: "inode_unlock",
  },
  {
    header: "include/linux/fs.h",
    family: "inode lock",
    mode: "read",
    lock: "object",
    acquire: "inode_lock_shared inode_trylock_shared inode_lock_shared_nested",
    release: "inode_unlock_shared",
  },
  {
    header: "include/linux/fs.h",
    family: "mapping invalidation lock",
    mode: "write",
    lock: "object",
    acquire: "filemap_invalidate_lock",
    release: "filemap_invalidate_unlock",
  },
  {
    header: "include/linux/fs.h",
    family: "mapping invalidation lock",
    mode: "read",
    lock: "object",
    acquire: "filemap_invalidate_lock_shared filemap_invalidate_trylock_shared",
    release: "filemap_invalidate_unlock_shared",
  },
  {
    header: "include/linux/fs.h",
    family: "i_mmap lock",
    mode: "write",
    lock: "object",
    acquire: "i_mmap_lock_write i_mmap_trylock_write",
    release: "i_mmap_unlock_write",
  },
  {
    header: "include/linux/fs.h",
    family: "i_mmap lock",
    mode: "read",
    lock: "object",
    acquire: "i_mmap_lock_read i_mmap_trylock_read",
    release: "i_mmap_unlock_read",
  },
  {
    header: "include/linux/fs.h",
    family: "file position lock",
    lock: "object",
    acquire: "fdget_pos",
    release: "fdput_pos",
  },
  {
    header: "include/linux/mmap_lock.h",
    family: "mmap lock",
    mode: "write",
    lock: "object",
    acquire: "mmap_write_lock mmap_write_trylock mmap_write_lock_killable mmap_write_lock_nested",
    release: "mmap_write_unlock",
  },
  {
    header: "include/linux/mmap_lock.h",
    family: "mmap lock",
    mode: "read",
    lock: "object",
    acquire: "mmap_read_lock mmap_read_trylock mmap_read_lock_killable",
    release: "mmap_read_unlock mmap_read_unlock_non_owner",
  },
  {
    header: "include/linux/rmap.h",
    family: "anon_vma lock",
    mode: "write",
    lock: "object",
    acquire: "anon_vma_lock_write",
    release: "anon_vma_unlock_write",
  },
  {
    header: "include/linux/rmap.h",
    family: "anon_vma lock",
    mode: "read",
    lock: "object",
    acquire: "anon_vma_lock_read",
    release: "anon_vma_unlock_read",
  },
  {
    header: "include/linux/mm.h",
    family: "page table lock",
    lock: "object",
    acquire: "pte_offset_map_lock pte_alloc_map_lock",
    release: "pte_unmap_unlock",
  },
  {
    header: "include/linux/device.h",
    family: "device lock",
    lock: "object",
    acquire: "device_lock device_trylock device_lock_interruptible",
    release: "device_unlock",
  },
  {
    header: "include/linux/buffer_head.h",
    family: "buffer lock",
    lock: "object",
    acquire: "lock_buffer trylock_buffer",
    release: "unlock_buffer",
  },
  {
    header: "include/linux/xarray.h",
    family: "xarray lock",
    lock: 0,
    acquire: "xa_lock xa_trylock xas_lock",
    release: "xa_unlock xas_unlock",
  },
  {
    header: "include/linux/xarray.h",
    family: "xarray lock",
    lock: 0,
    flavour: "bh",
    acquire: "xa_lock_bh xas_lock_bh",
    release: "xa_unlock_bh xas_unlock_bh",
  },
  {
    header: "include/linux/xarray.h",
    family: "xarray lock",
    lock: 0,
    flavour: "irq",
    acquire: "xa_lock_irq xas_lock_irq",
    release: "xa_unlock_irq xas_unlock_irq",
  },
  {
    header: "include/linux/xarray.h",
    family: "xarray lock",
    lock: 0,
    flavour: "irqsave",
    acquire: "xa_lock_irqsave xas_lock_irqsave",
    release: "xa_unlock_irqrestore xas_unlock_irqrestore",
  },
  {
    header: "include/linux/rtnetlink.h",
    family: "RTNL",
    acquire: "rtnl_lock rtnl_trylock rtnl_lock_killable",
    release: "rtnl_unlock __rtnl_unlock",
  },
  {
    header: "include/linux/cpu.h",
    family: "CPU hotplug lock",
    mode: "read",
    acquire: "cpus_read_lock cpus_read_trylock get_online_cpus",
    release: "cpus_read_unlock put_online_cpus",
  },
  {
    header: "include/linux/cpu.h",
    family: "CPU hotplug lock",
    mode: "write",
    acquire: "cpus_write_lock",
    release: "cpus_write_unlock",
  },
  {
    header: "include/linux/console.h",
    family: "console lock",
    acquire: "console_lock console_trylock",
    release: "console_unlock",
  },
  {
    header: "include/linux/cgroup.h",
    family: "cgroup mutex",
    acquire: "cgroup_lock",
    release: "cgroup_unlock",
  },
  {
    header: "include/linux/netdevice.h",
    family: "transmit lock",
    lock: "object",
    acquire: "netif_tx_lock __netif_tx_lock netif_tx_lock_bh __netif_tx_lock_bh",
    release: "netif_tx_unlock __netif_tx_unlock netif_tx_unlock_bh __netif_tx_unlock_bh",
  },
  {
    header: "include/linux/netdevice.h",
    family: "address lock",
    lock: "object",
    acquire: "netif_addr_lock",
    release: "netif_addr_unlock",
  },
  {
    header: "include/linux/netdevice.h",
    family: "address lock",
    lock: "object",
    flavour: "bh",
    acquire: "netif_addr_lock_bh",
    release: "netif_addr_unlock_bh",
  },
  {
    header: "include/linux/sched/signal.h",
    family: "signal handler lock",
    lock: "object",
    flavour: "irqsave",
    acquire: "lock_task_sighand",
    release: "unlock_task_sighand",
  },
  {
    header: "include/linux/sched/task.h",
    family: "task lock",
    lock: "object",
    acquire: "task_lock",
    release: "task_unlock",
  },
  {
    header: "include/net/bluetooth/hci_core.h",
    family: "Bluetooth device lock",
    lock: "object",
    acquire: "hci_dev_lock",
    release: "hci_dev_unlock",
  },
  {
    header: "include/net/bluetooth/l2cap.h",
    family: "L2CAP channel lock",
    lock: "object",
    acquire: "l2cap_chan_lock",
    release: "l2cap_chan_unlock",
  },
  {
    header: "include/net/cfg80211.h",
    family: "wiphy lock",
    lock: "object",
    acquire: "wiphy_lock",
    release: "wiphy_unlock",
  },
  {
    header: "include/linux/dma-resv.h",
    family: "reservation lock",
    lock: "object",
    acquire: "dma_resv_lock dma_resv_lock_interruptible dma_resv_trylock",
    release: "dma_resv_unlock",
  },
  {
    header: "include/sound/pcm.h",
    family: "PCM stream lock",
    lock: "object",
    acquire: "snd_pcm_stream_lock",
    release: "snd_pcm_stream_unlock",
  },
  {
    header: "include/sound/pcm.h",
    family: "PCM stream lock",
    lock: "object",
    flavour: "irq",
    acquire: "snd_pcm_stream_lock_irq",
    release: "snd_pcm_stream_unlock_irq",
  },
  {
    header: "include/sound/pcm.h",
    family: "PCM stream lock",
    lock: "object",
    flavour: "irqsave",
    acquire: "snd_pcm_stream_lock_irqsave",
    release: "snd_pcm_stream_unlock_irqrestore",
  },
  {
    header: "kernel/sched/sched.h",
    family: "runqueue lock",
    lock: "object",
    acquire:
      "task_rq_lock __task_rq_lock rq_lock rq_lock_irq rq_lock_irqsave raw_spin_rq_lock raw_spin_rq_lock_irq",
    release:
      "task_rq_unlock __task_rq_unlock rq_unlock rq_unlock_irq rq_unlock_irqrestore raw_spin_rq_unlock raw_spin_rq_unlock_irq",
  },
];

interface Meaning extends Row {
  readonly does: LockOperation["does"];
}

/** Classes of `DEFINE_GUARD` and `DEFINE_LOCK_GUARD_*` and the primitive whose lock they take and drop (include/linux/cleanup.h). */
const GUARDS: Readonly<Record<string, string>> = {
  spinlock: "spin_lock",
  spinlock_try: "spin_lock",
  spinlock_bh: "spin_lock_bh",
  spinlock_irq: "spin_lock_irq",
  spinlock_irqsave: "spin_lock_irqsave",
  raw_spinlock: "raw_spin_lock",
  raw_spinlock_nested: "raw_spin_lock",
  raw_spinlock_irq: "raw_spin_lock_irq",
  raw_spinlock_irqsave: "raw_spin_lock_irqsave",
  read_lock: "read_lock",
  read_lock_irq: "read_lock_irq",
  read_lock_irqsave: "read_lock_irqsave",
  write_lock: "write_lock",
  write_lock_irq: "write_lock_irq",
  write_lock_irqsave: "write_lock_irqsave",
  mutex: "mutex_lock",
  mutex_try: "mutex_lock",
  mutex_intr: "mutex_lock",
  mutex_kill: "mutex_lock",
  rwsem_read: "down_read",
  rwsem_read_intr: "down_read",
  rwsem_write: "down_write",
  rwsem_write_kill: "down_write",
  rcu: "rcu_read_lock",
  srcu: "srcu_read_lock",
  irq: "local_irq_disable",
  irqsave: "local_irq_save",
  preempt: "preempt_disable",
  migrate: "migrate_disable",
  device: "device_lock",
  cpus_read_lock: "cpus_read_lock",
  rtnl: "rtnl_lock",
  task_rq_lock: "task_rq_lock",
  rq_lock: "rq_lock",
};

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  ROWS.flatMap((row) => {
    const named = (names: string, does: "acquire" | "release") =>
      names
        .split(" ")
        .filter((name) => name !== "")
        .map((name) => [name, { ...row, does }] as const);
    return [...named(row.acquire, "acquire"), ...named(row.release, "release")];
  }),
);

/** What a call does to a lock; undefined for one that is no known primitive. */
export function lockOperation(call: BodyCall): LockOperation | undefined {
  if (call.name === "guard") return guarded(call, call.arguments[0], call.further?.[0]);
  if (/^scoped(?:_cond)?_guard$/.test(call.name))
    return guarded(call, call.arguments[0], call.arguments.at(call.name === "scoped_guard" ? 1 : 2));
  const meaning = MEANINGS.get(call.name);
  if (!meaning) return undefined;
  const { lock } = meaning;
  if (lock === "result") return operation(meaning, call, call.assignedTo ?? "");
  return operation(
    meaning,
    call,
    lock === undefined ? "" : (call.arguments[lock === "object" ? 0 : lock] ?? ""),
  );
}

/** The lock as a person names it: `spinlock '&p->lock'`, `RTNL`. */
export function shownLock({ family, lock }: LockOperation): string {
  return lock === "" ? family : `${family} '${shown(lock)}'`;
}

/** An expression in normal form as a person writes it: `&p->lock`. */
export function shown(expression: string): string {
  return expression.replace(/ ?(->|\.|\[|\]|\(|\)) ?/g, "$1").replace(/([&*!]) /g, "$1");
}

/** How much a flavour keeps out: a greater one also does what a smaller one does. */
export function strength(flavour: Flavour): number {
  return { plain: 0, bh: 1, irq: 2, irqsave: 2 }[flavour];
}

function guarded(call: BodyCall, kind = "", lock = ""): LockOperation | undefined {
  const meaning = MEANINGS.get(GUARDS[kind] ?? "");
  return meaning && operation({ ...meaning, does: "section" }, call, meaning.lock === undefined ? "" : lock);
}

function operation(meaning: Meaning, call: BodyCall, lock: string): LockOperation {
  const { does, family, excludes, flavour, mode } = meaning;
  return {
    does,
    family,
    excludes: excludes ?? true,
    flavour: flavour ?? "plain",
    mode: mode ?? "exclusive",
    lock,
    key: meaning.lock === "object" || lock === "" ? family : `${family} ${lastName(lock)}`,
    call,
  };
}
