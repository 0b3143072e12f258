import { type BodyCall, lastName } from "./body-calls.js";

/** What one call does to the life of an object. */
export interface ReferenceOperation {
  readonly does: "get" | "put";
  /** `device`, `memory`: a put of one kind never answers a get of another. */
  readonly kind: string;
  /** Whether the kind is counted; `memory` is given out and taken back once. */
  readonly counted: boolean;
  /** The object as written, in normal form; empty when the call does not name it. */
  readonly object: string;
  /** Equal for what is taken to be the same object across functions. */
  readonly key: string;
  readonly call: BodyCall;
}

interface Row {
  readonly header: string;
  readonly kind: string;
  readonly counted?: false;
  /** Kinds that stand for any object: only the same last name is taken for the same object. */
  readonly generic?: true;
  /** Take a reference to their first argument. */
  readonly get: string;
  /** Give back an object with a reference, for the caller to put. */
  readonly find: string;
  readonly put: string;
}

/** Names are separated by blanks. */
const ROWS: readonly Row[] = [
  {
    header: "include/linux/refcount.h",
    kind: "count",
    generic: true,
    get: "refcount_inc refcount_inc_not_zero",
    find: "",
    put: "refcount_dec refcount_dec_and_test",
  },
  {
    header: "include/linux/kref.h",
    kind: "kref",
    generic: true,
    get: "kref_get kref_get_unless_zero",
    find: "",
    put: "kref_put kref_put_mutex kref_put_lock",
  },
  {
    header: "include/linux/percpu-refcount.h",
    kind: "per-CPU count",
    generic: true,
    get: "percpu_ref_get percpu_ref_tryget percpu_ref_tryget_live",
    find: "",
    put: "percpu_ref_put percpu_ref_kill",
  },
  {
    header: "include/linux/kobject.h",
    kind: "kobject",
    generic: true,
    get: "kobject_get kobject_get_unless_zero",
    find: "",
    put: "kobject_put",
  },
  {
    header: "include/linux/device.h",
    kind: "device",
    get: "get_device",
    find: "bus_find_device bus_find_device_by_name bus_find_device_by_of_node class_find_device device_find_child device_find_child_by_name driver_find_device",
    put: "put_device",
  },
  {
    header: "include/linux/pci.h",
    kind: "PCI device",
    get: "pci_dev_get",
    find: "pci_get_device pci_get_slot pci_get_domain_bus_and_slot pci_get_class pci_get_subsys",
    put: "pci_dev_put",
  },
  { header: "include/linux/usb.h", kind: "USB device", get: "usb_get_dev", find: "", put: "usb_put_dev" },
  {
    header: "include/linux/usb.h",
    kind: "USB interface",
    get: "usb_get_intf",
    find: "",
    put: "usb_put_intf",
  },
  {
    header: "include/linux/usb.h",
    kind: "URB",
    get: "usb_get_urb",
    find: "usb_alloc_urb",
    put: "usb_put_urb usb_free_urb",
  },
  {
    header: "include/linux/of.h",
    kind: "device node",
    get: "of_node_get",
    find: "of_find_node_by_name of_find_node_by_path of_find_node_by_type of_find_compatible_node of_find_matching_node of_find_node_by_phandle of_get_child_by_name of_get_compatible_child of_get_parent of_get_next_child of_parse_phandle of_graph_get_remote_node of_graph_get_port_by_id of_graph_get_endpoint_by_regs of_get_cpu_node",
    put: "of_node_put",
  },
  {
    header: "include/linux/property.h",
    kind: "firmware node",
    get: "fwnode_handle_get",
    find: "fwnode_get_named_child_node fwnode_find_reference fwnode_get_parent device_get_named_child_node",
    put: "fwnode_handle_put",
  },
  {
    header: "include/linux/file.h",
    kind: "file",
    get: "get_file get_file_rcu",
    find: "fget fget_raw fget_task",
    put: "fput fput_many",
  },
  {
    header: "include/linux/dcache.h",
    kind: "dentry",
    get: "dget",
    find: "dget_parent d_find_alias d_find_any_alias lookup_one_len kern_path_create",
    put: "dput",
  },
  {
    header: "include/linux/fs.h",
    kind: "inode",
    get: "ihold igrab",
    find: "iget_locked iget5_locked ilookup ilookup5 new_inode",
    put: "iput",
  },
  { header: "include/linux/path.h", kind: "path", get: "path_get", find: "", put: "path_put" },
  { header: "include/linux/mount.h", kind: "mount", get: "mntget", find: "", put: "mntput" },
  {
    header: "include/linux/sched/task.h",
    kind: "task",
    get: "get_task_struct",
    find: "get_pid_task find_get_task_by_vpid",
    put: "put_task_struct",
  },
  {
    header: "include/linux/pid.h",
    kind: "pid",
    get: "get_pid",
    find: "find_get_pid get_task_pid",
    put: "put_pid",
  },
  {
    header: "include/linux/sched/mm.h",
    kind: "address space",
    get: "mmget mmget_not_zero",
    find: "get_task_mm mm_access",
    put: "mmput mmput_async",
  },
  { header: "include/linux/sched/mm.h", kind: "mm_struct", get: "mmgrab", find: "", put: "mmdrop" },
  {
    header: "include/linux/cred.h",
    kind: "credentials",
    get: "get_cred",
    find: "get_current_cred get_task_cred prepare_creds",
    put: "put_cred",
  },
  { header: "include/linux/nsproxy.h", kind: "namespaces", get: "get_nsproxy", find: "", put: "put_nsproxy" },
  {
    header: "include/linux/user_namespace.h",
    kind: "user namespace",
    get: "get_user_ns",
    find: "",
    put: "put_user_ns",
  },
  {
    header: "include/net/net_namespace.h",
    kind: "network namespace",
    get: "get_net maybe_get_net",
    find: "get_net_ns_by_fd get_net_ns_by_pid",
    put: "put_net",
  },
  {
    header: "include/linux/netdevice.h",
    kind: "network device",
    get: "dev_hold netdev_hold",
    find: "dev_get_by_name dev_get_by_index",
    put: "dev_put netdev_put dev_put_track",
  },
  {
    header: "include/net/sock.h",
    kind: "socket",
    get: "sock_hold",
    find: "sk_clone_lock",
    put: "sock_put sock_gen_put",
  },
  {
    header: "include/net/dst.h",
    kind: "route",
    get: "dst_hold dst_clone dst_hold_safe",
    find: "",
    put: "dst_release dst_release_immediate",
  },
  {
    header: "include/net/neighbour.h",
    kind: "neighbour",
    get: "neigh_hold",
    find: "neigh_lookup dst_neigh_lookup",
    put: "neigh_release",
  },
  {
    header: "include/linux/inetdevice.h",
    kind: "IPv4 device",
    get: "in_dev_hold",
    find: "in_dev_get",
    put: "in_dev_put",
  },
  {
    header: "include/net/addrconf.h",
    kind: "IPv6 device",
    get: "in6_dev_hold",
    find: "in6_dev_get",
    put: "in6_dev_put",
  },
  {
    header: "include/linux/skbuff.h",
    kind: "packet buffer",
    generic: true,
    get: "skb_get",
    find: "alloc_skb dev_alloc_skb netdev_alloc_skb napi_alloc_skb skb_clone skb_copy pskb_copy",
    put: "kfree_skb consume_skb dev_kfree_skb dev_kfree_skb_any dev_kfree_skb_irq kfree_skb_reason",
  },
  {
    header: "include/linux/module.h",
    kind: "module",
    get: "__module_get try_module_get",
    find: "",
    put: "module_put",
  },
  {
    header: "include/linux/mm.h",
    kind: "page",
    generic: true,
    get: "get_page try_get_page folio_get folio_try_get",
    find: "find_get_page find_lock_page grab_cache_page follow_page",
    put: "put_page folio_put folio_put_refs",
  },
  { header: "include/linux/key.h", kind: "key", get: "key_get __key_get", find: "", put: "key_put" },
  {
    header: "include/linux/bpf.h",
    kind: "BPF program",
    get: "bpf_prog_inc bpf_prog_add",
    find: "bpf_prog_get bpf_prog_get_type bpf_prog_get_type_dev",
    put: "bpf_prog_put",
  },
  {
    header: "include/linux/bpf.h",
    kind: "BPF map",
    get: "bpf_map_inc bpf_map_inc_with_uref",
    find: "bpf_map_get bpf_map_get_with_uref",
    put: "bpf_map_put bpf_map_put_with_uref",
  },
  {
    header: "include/linux/cgroup.h",
    kind: "cgroup state",
    get: "css_get css_tryget css_tryget_online",
    find: "",
    put: "css_put",
  },
  {
    header: "include/linux/dma-buf.h",
    kind: "DMA buffer",
    get: "get_dma_buf",
    find: "dma_buf_get",
    put: "dma_buf_put",
  },
  {
    header: "include/linux/dma-fence.h",
    kind: "DMA fence",
    get: "dma_fence_get dma_fence_get_rcu",
    find: "",
    put: "dma_fence_put",
  },
  {
    header: "include/drm/drm_gem.h",
    kind: "GEM object",
    get: "drm_gem_object_get",
    find: "drm_gem_object_lookup",
    put: "drm_gem_object_put",
  },
  {
    header: "include/linux/clk.h",
    kind: "clock",
    get: "",
    find: "clk_get of_clk_get of_clk_get_by_name",
    put: "clk_put",
  },
  {
    header: "include/linux/pm_runtime.h",
    kind: "use of a powered device",
    generic: true,
    get: "pm_runtime_get pm_runtime_get_sync pm_runtime_get_noresume pm_runtime_resume_and_get",
    find: "",
    put: "pm_runtime_put pm_runtime_put_sync pm_runtime_put_noidle pm_runtime_put_autosuspend",
  },
  {
    header: "include/linux/slab.h",
    kind: "memory",
    counted: false,
    generic: true,
    get: "",
    find: "kmalloc kzalloc kcalloc kmalloc_array kmalloc_node kzalloc_node kvmalloc kvzalloc kvcalloc kvmalloc_array kmemdup kmemdup_nul kstrdup kstrndup kasprintf vmalloc vzalloc kmem_cache_alloc kmem_cache_zalloc alloc_percpu",
    put: "kfree kvfree vfree kfree_sensitive kfree_rcu kvfree_rcu kmem_cache_free free_percpu",
  },
];

interface Meaning {
  readonly row: Row;
  readonly how: "get" | "find" | "put";
}

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  ROWS.flatMap((row) =>
    (["get", "find", "put"] as const).flatMap((how) =>
      row[how]
        .split(" ")
        .filter((name) => name !== "")
        .map((name) => [name, { row, how }] as const),
    ),
  ),
);

/** What a call does to a reference or to memory; undefined for one that is no known primitive. */
export function referenceOperation(call: BodyCall): ReferenceOperation | undefined {
  const meaning = MEANINGS.get(call.name);
  if (!meaning) return undefined;
  const { row, how } = meaning;
  const object = (how === "find" ? call.assignedTo : argumentOf(call)) ?? "";
  return {
    does: how === "put" ? "put" : "get",
    kind: row.kind,
    counted: row.counted ?? true,
    object,
    key: row.generic ? `${row.kind} ${lastName(object)}` : row.kind,
    call,
  };
}

/** The object's place among the arguments: behind the cache for `kmem_cache_free` (include/linux/slab.h). */
function argumentOf(call: BodyCall): string | undefined {
  return call.arguments[call.name === "kmem_cache_free" ? 1 : 0];
}
