//! Task sizes, checked against what Fargate offers before any call is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a task gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Size {
    /// CPU units; 1024 are one vCPU.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Ephemeral storage in GiB, if more than Fargate's 20.
    pub ephemeral_storage: Option<u32>,
}

/// A size that Fargate does not offer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSize {
    /// No such CPU size.
    #[error("Fargate has no task with {0} CPU units; it has 256, 512, 1024, 2048, 4096, 8192 and 16384")]
    Cpu(u32),
    /// The memory does not go with the CPU.
    #[error(
        "Fargate has no task with {cpu} CPU units and {memory} MiB; with {cpu} CPU units it has {least} to {most} MiB{steps}"
    )]
    Memory {
        /// CPU units.
        cpu: u32,
        /// MiB asked for.
        memory: u32,
        /// Smallest for this CPU.
        least: u32,
        /// Largest for this CPU.
        most: u32,
        /// How the sizes between are spaced.
        steps: String,
    },
    /// Ephemeral storage out of range.
    #[error("ephemeral storage of {0} GiB is not possible; Fargate takes 21 to 200 GiB (20 without asking)")]
    EphemeralStorage(u32),
}

/// CPU units, least and most memory in MiB, step in MiB (ECS Developer Guide, "Task CPU and memory").
/// The smallest CPU has 512, 1024 and 2048, no even steps.
const FARGATE: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

impl Size {
    /// Checks the size against Fargate's table.
    pub fn check_fargate(&self) -> Result<(), InvalidSize> {
        let &(cpu, least, most, step) =
            FARGATE.iter().find(|row| row.0 == self.cpu).ok_or(InvalidSize::Cpu(self.cpu))?;
        let memory = self.memory;
        let on_a_step = memory.is_multiple_of(step) && !(cpu == 256 && memory == 1536);
        if !(least..=most).contains(&memory) || !on_a_step {
            let steps =
                if cpu == 256 { ": 512, 1024 or 2048".into() } else { format!(" in steps of {step}") };
            return Err(InvalidSize::Memory { cpu, memory, least, most, steps });
        }
        match self.ephemeral_storage {
            Some(gib) if !(21..=200).contains(&gib) => Err(InvalidSize::EphemeralStorage(gib)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(cpu: u32, memory: u32, ephemeral_storage: Option<u32>) -> Size {
        Size { cpu, memory, ephemeral_storage }
    }

    #[test]
    fn the_published_pairs_are_accepted() {
        let pairs = [(256, 512), (256, 2048), (1024, 2048), (1024, 8192), (4096, 30_720), (8192, 20_480)];
        for (cpu, memory) in pairs {
            assert_eq!(size(cpu, memory, None).check_fargate(), Ok(()), "{cpu}/{memory}");
        }
        assert_eq!(size(1024, 2048, Some(200)).check_fargate(), Ok(()));
    }

    #[test]
    fn others_are_refused_with_what_there_is() {
        let text = |s: Size| s.check_fargate().unwrap_err().to_string();
        assert!(text(size(1000, 2048, None)).contains("256, 512, 1024"));
        assert!(text(size(256, 1536, None)).contains("512, 1024 or 2048"));
        assert!(text(size(1024, 16_384, None)).contains("2048 to 8192 MiB in steps of 1024"));
        assert!(text(size(8192, 17_408, None)).contains("steps of 4096"));
        assert!(text(size(1024, 2048, Some(20))).contains("21 to 200"));
    }
}
