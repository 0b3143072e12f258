import type { DataItem } from "./item.js";

/**
 * Whether a variable is a table by which a bus, or user space, matches devices with drivers (include/linux/mod_devicetable.h).
 */
export function isDeviceTable({ struct }: DataItem): boolean {
  return (
    struct !== undefined &&
    /_device_id$|^(?:dmi_system_id|x86_cpu_id|mcb_device_id|cpu_feature)$/.test(struct)
  );
}
