//! What a task costs at list prices.
//!
//! An estimate for people: it knows no discounts, savings plans or taxes, and the prices of one region.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::size::Size;
use crate::stack::{Arch, Capacity};

/// The region and month of the price table (AWS Fargate pricing).
pub const PRICES_OF: &str = "us-east-1, 2026-09";

/// Dollars per hour.
struct Prices {
    vcpu: f64,
    gigabyte: f64,
}

const X86: Prices = Prices { vcpu: 0.040_48, gigabyte: 0.004_445 };
const ARM: Prices = Prices { vcpu: 0.032_38, gigabyte: 0.003_56 };
/// Spot prices float; these are of the table's month, and ARM is taken at the same discount.
const X86_SPOT: Prices = Prices { vcpu: 0.012_89, gigabyte: 0.001_415 };
const ARM_SPOT: Prices = Prices { vcpu: 0.010_31, gigabyte: 0.001_133 };
/// Ephemeral storage above 20 GB, per GB and hour.
const STORAGE: f64 = 0.000_111;
const FREE_STORAGE: u32 = 20;
/// A public IPv4 address, per hour.
const PUBLIC_IPV4: f64 = 0.005;
const SHORTEST_BILLED: SignedDuration = SignedDuration::from_secs(60);

/// What is billed of a task.
#[derive(Debug, Clone, Copy)]
pub struct Billed<'a> {
    /// Where it runs.
    pub capacity: &'a Capacity,
    /// Its architecture.
    pub arch: Arch,
    /// Its size.
    pub size: Size,
    /// Whether it has a public address.
    pub public_ip: bool,
    /// When the image pull began.
    pub from: Timestamp,
    /// When it stopped, or now.
    pub to: Timestamp,
}

/// An amount of US dollars.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Dollars(pub f64);

impl std::fmt::Display for Dollars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("${:.5}", self.0))
    }
}

impl std::iter::Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        // The sum of no floats is -0.0, which is no price.
        Self(iter.map(|d| d.0).fold(0.0, |sum, d| sum + d))
    }
}

/// The list price of a Fargate task: per second from the image pull on, one minute at least.
///
/// `None` for a task on EC2: the instance is paid for, not the task.
pub fn of_task(task: &Billed<'_>) -> Option<Dollars> {
    if !task.capacity.is_fargate() {
        return None;
    }
    let prices = match (task.arch, task.capacity.is_fargate_spot()) {
        (Arch::X86_64, false) => X86,
        (Arch::X86_64, true) => X86_SPOT,
        (Arch::Arm64, false) => ARM,
        (Arch::Arm64, true) => ARM_SPOT,
    };
    let hours = task.to.duration_since(task.from).max(SHORTEST_BILLED).as_secs_f64() / 3600.0;
    let surplus = task.size.ephemeral_storage.unwrap_or(FREE_STORAGE).saturating_sub(FREE_STORAGE);
    let per_hour = f64::from(task.size.cpu) / 1024.0 * prices.vcpu
        + f64::from(task.size.memory) / 1024.0 * prices.gigabyte
        + f64::from(surplus) * STORAGE
        + if task.public_ip { PUBLIC_IPV4 } else { 0.0 };
    Some(Dollars(per_hour * hours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::LaunchType;

    fn dollars(provider: &str, arch: Arch, seconds: i64, storage: Option<u32>, public_ip: bool) -> f64 {
        let from = Timestamp::UNIX_EPOCH;
        of_task(&Billed {
            capacity: &Capacity::Provider(provider.into()),
            arch,
            size: Size { cpu: 1024, memory: 2048, ephemeral_storage: storage },
            public_ip,
            from,
            to: from + SignedDuration::from_secs(seconds),
        })
        .unwrap()
        .0
    }

    #[test]
    fn an_hour_costs_the_list_price() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        near(dollars("FARGATE", Arch::X86_64, 3600, None, false), 0.040_48 + 2.0 * 0.004_445);
        near(dollars("FARGATE", Arch::Arm64, 3600, None, false), 0.032_38 + 2.0 * 0.003_56);
        near(dollars("FARGATE", Arch::X86_64, 3600, Some(30), true), 0.040_48 + 0.008_89 + 0.001_11 + 0.005);
        near(dollars("FARGATE", Arch::X86_64, 1, None, false) * 60.0, 0.049_37);
        assert!(dollars("FARGATE_SPOT", Arch::X86_64, 3600, None, false) < 0.02);
    }

    #[test]
    fn a_task_on_ec2_has_no_price_of_its_own() {
        let from = Timestamp::UNIX_EPOCH;
        let size = Size { cpu: 1024, memory: 2048, ephemeral_storage: None };
        for capacity in [Capacity::LaunchType(LaunchType::Ec2), Capacity::Provider("my-asg".into())] {
            let billed =
                Billed { capacity: &capacity, arch: Arch::X86_64, size, public_ip: false, from, to: from };
            assert_eq!(of_task(&billed), None);
        }
    }
}
