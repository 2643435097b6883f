//! The sizes that Fargate has. Source: ECS Developer Guide, "Task CPU and memory".

/// Whether there is a Fargate task with these CPU units and this memory in MiB.
pub(super) fn has_size(cpu: u32, memory: u32) -> bool {
    let gib = |from: u32, to: u32, step: u32| {
        memory.is_multiple_of(1024)
            && (from..=to).contains(&(memory / 1024))
            && (memory / 1024 - from).is_multiple_of(step)
    };
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => gib(1, 4, 1),
        1024 => gib(2, 8, 1),
        2048 => gib(4, 16, 1),
        4096 => gib(8, 30, 1),
        8192 => gib(16, 60, 4),
        16384 => gib(32, 120, 8),
        _ => false,
    }
}

/// CPU units from `1024`, `1 vCPU` or `.5 vcpu`.
pub(super) fn cpu_units(text: &str) -> Option<u32> {
    quantity(text, "vcpu")
}

/// MiB from `2048` or `2 GB`.
pub(super) fn memory_mib(text: &str) -> Option<u32> {
    quantity(text, "gb")
}

/// A whole number, or a number of units of 1024 each.
fn quantity(text: &str, unit: &str) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    let Some(number) = lower.strip_suffix(unit) else {
        return lower.parse().ok();
    };
    let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), ""));
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part = match fraction {
        "" | "0" | "00" => 0,
        "25" => 256,
        "5" | "50" => 512,
        "75" => 768,
        _ => return None,
    };
    whole.checked_mul(1024)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_its_borders() {
        for (cpu, memory) in [
            (256, 512),
            (256, 2048),
            (512, 4096),
            (1024, 2048),
            (1024, 8192),
            (2048, 16_384),
            (4096, 30_720),
            (8192, 20_480),
            (8192, 61_440),
            (16_384, 122_880),
        ] {
            assert!(has_size(cpu, memory), "{cpu} {memory}");
        }
        for (cpu, memory) in [
            (256, 4096),
            (512, 512),
            (1024, 1024),
            (1024, 9216),
            (1024, 2500),
            (4096, 31_744),
            (8192, 18_432),
            (16_384, 36_864),
            (300, 512),
            (32_768, 122_880),
            (1024, 0),
        ] {
            assert!(!has_size(cpu, memory), "{cpu} {memory}");
        }
    }

    #[test]
    fn sizes_come_in_several_forms() {
        for (text, units) in
            [("1024", 1024), ("1 vCPU", 1024), (".25 vcpu", 256), ("0.5vCPU", 512), ("2vcpu", 2048)]
        {
            assert_eq!(cpu_units(text), Some(units), "{text}");
        }
        assert_eq!(memory_mib("2 GB"), Some(2048));
        assert_eq!(memory_mib("two"), None);
    }
}
