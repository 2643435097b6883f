//! The published rates of the ECS API as token buckets, per account and region.
//!
//! Source: ECS API Reference, "Request throttling", and Developer Guide, "Fargate throttling quotas".

use jiff::Timestamp;

use super::super::error::AwsError;

/// A bucket's size and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens of a full bucket.
    pub burst: f64,
    /// Tokens a second.
    pub refill: f64,
}

impl Rate {
    const fn new(burst: f64, refill: f64) -> Self {
        Self { burst, refill }
    }
}

/// The rates of one account and region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Calls of RunTask and StopTask together.
    pub run_and_stop: Rate,
    /// Calls of RunTask that launch on Fargate.
    pub fargate_run: Rate,
    /// Tasks launched on Fargate; on-demand and spot have a bucket each.
    pub fargate_launch: Rate,
    /// Calls of DescribeTasks and ListTasks together.
    pub describe_and_list: Rate,
    /// Calls of RegisterTaskDefinition.
    pub register: Rate,
    /// Calls of TagResource.
    pub tag: Rate,
    /// Calls of anything else; not published for every call, the usual value for reads.
    pub other: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            run_and_stop: Rate::new(100.0, 40.0),
            fargate_run: Rate::new(20.0, 20.0),
            fargate_launch: Rate::new(100.0, 20.0),
            describe_and_list: Rate::new(100.0, 20.0),
            register: Rate::new(20.0, 1.0),
            tag: Rate::new(20.0, 10.0),
            other: Rate::new(50.0, 20.0),
        }
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    RunAndStop,
    FargateRun,
    FargateLaunch,
    SpotLaunch,
    DescribeAndList,
    Register,
    Tag,
    Other,
}

/// All buckets and what is in them.
pub(super) struct Buckets([(Rate, f64, Option<Timestamp>); 8]);

impl Buckets {
    pub(super) fn new(rates: &Rates) -> Self {
        let full = |rate: Rate| (rate, rate.burst, None);
        Self([
            full(rates.run_and_stop),
            full(rates.fargate_run),
            full(rates.fargate_launch),
            full(rates.fargate_launch),
            full(rates.describe_and_list),
            full(rates.register),
            full(rates.tag),
            full(rates.other),
        ])
    }

    /// Takes tokens out of a bucket, or refuses and takes none.
    pub(super) fn take(&mut self, bucket: Bucket, tokens: usize, now: Timestamp) -> Result<(), AwsError> {
        let (rate, level, at) = &mut self.0[bucket as usize];
        if let Some(before) = at {
            let passed = now.duration_since(*before).as_secs_f64().max(0.0);
            *level = (*level + passed * rate.refill).min(rate.burst);
        }
        *at = Some(now);
        #[expect(clippy::cast_precision_loss, reason = "a call takes ten tokens at most")]
        let tokens = tokens as f64;
        if *level < tokens {
            return Err(throttled());
        }
        *level -= tokens;
        Ok(())
    }
}

/// What ECS says to a call that comes too soon.
pub(super) fn throttled() -> AwsError {
    AwsError::new("ThrottlingException", "Rate exceeded")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut buckets = Buckets::new(&Rates::default());
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..20 {
            buckets.take(Bucket::Register, 1, now).unwrap();
        }
        assert_eq!(buckets.take(Bucket::Register, 1, now).unwrap_err().code, "ThrottlingException");
        let later = now + SignedDuration::from_millis(2500);
        buckets.take(Bucket::Register, 1, later).unwrap();
        buckets.take(Bucket::Register, 1, later).unwrap();
        assert!(buckets.take(Bucket::Register, 1, later).is_err());
        // A long pause fills it to the brim and no further.
        let next_day = now + SignedDuration::from_hours(24);
        assert!(buckets.take(Bucket::Register, 21, next_day).is_err());
        buckets.take(Bucket::Register, 20, next_day).unwrap();
    }

    #[test]
    fn spot_and_on_demand_are_counted_apart() {
        let mut buckets = Buckets::new(&Rates::default());
        let now = Timestamp::UNIX_EPOCH;
        buckets.take(Bucket::FargateLaunch, 100, now).unwrap();
        buckets.take(Bucket::SpotLaunch, 100, now).unwrap();
        assert!(buckets.take(Bucket::FargateLaunch, 1, now).is_err());
    }
}
