//! Whether this machine's clock agrees with a service's.
//!
//! Signatures and tokens carry times. What a wrong clock brings is a refusal in words like "signature does not
//! match", so the clock is looked at before anybody wonders.

use jiff::SignedDuration;

use super::finding::{Finding, Of};

/// What is not worth a word: the time of a call, and a date in whole seconds.
const AGREES: SignedDuration = SignedDuration::from_secs(30);

/// How far a clock may go wrong before the service refuses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    ahead: SignedDuration,
    behind: SignedDuration,
    why: &'static str,
}

impl Tolerance {
    /// AWS refuses signatures that are off by more than five minutes (IAM User Guide, "Troubleshooting
    /// Signature Version 4").
    pub(super) const AWS: Self = Self {
        ahead: SignedDuration::from_mins(5),
        behind: SignedDuration::from_mins(5),
        why: "AWS refuses signatures that are more than 5 minutes off",
    };

    /// GitHub refuses an App's JWT that begins later than now or ends later than in ten minutes; ours begins a
    /// minute ago and ends in nine.
    pub(super) const APP: Self = Self {
        ahead: SignedDuration::from_mins(1),
        behind: SignedDuration::from_mins(9),
        why: "GitHub refuses an App's token that begins in the future or has ended",
    };

    /// A token of GitHub's carries no time.
    pub(super) const TOKEN: Self = Self { ahead: SignedDuration::MAX, behind: SignedDuration::MAX, why: "" };
}

const REMEDY: &str = "Let the clock be set by NTP (timedatectl set-ntp true); a container has its host's.";

/// `ahead` is how much this machine's clock is ahead of the service's; negative if it is behind.
pub(super) fn judge(of: Of, service: &str, ahead: SignedDuration, tolerance: Tolerance) -> Finding {
    let off = ahead.abs();
    if off <= AGREES {
        return of.ok(format!("this machine's clock agrees with {service}'s"));
    }
    let (word, most) =
        if ahead.is_positive() { ("ahead of", tolerance.ahead) } else { ("behind", tolerance.behind) };
    let sentence = format!("this machine's clock is {} s {word} {service}'s", off.as_secs());
    if off > most {
        of.problem(format!("{sentence}, and {}", tolerance.why), REMEDY)
    } else {
        of.warning(sentence, REMEDY)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Check, State};
    use super::*;

    fn state(seconds: i64, tolerance: Tolerance) -> State {
        judge(Check::AwsClock.of("AWS"), "AWS", SignedDuration::from_secs(seconds), tolerance).state
    }

    #[test]
    fn each_service_has_its_own_patience() {
        for seconds in [-30, 0, 30] {
            assert_eq!(state(seconds, Tolerance::APP), State::Ok);
        }
        assert_eq!(state(299, Tolerance::AWS), State::Warning);
        assert_eq!(state(301, Tolerance::AWS), State::Problem);
        assert_eq!(state(-301, Tolerance::AWS), State::Problem);
        assert_eq!(state(61, Tolerance::APP), State::Problem);
        assert_eq!(state(-61, Tolerance::APP), State::Warning);
        assert_eq!(state(-541, Tolerance::APP), State::Problem);
        assert_eq!(state(100_000, Tolerance::TOKEN), State::Warning);
    }

    #[test]
    fn the_sentence_says_which_way() {
        let behind = judge(Check::AwsClock.of("AWS"), "AWS", SignedDuration::from_secs(-400), Tolerance::AWS);
        assert_eq!(
            behind.sentence,
            "this machine's clock is 400 s behind AWS's, and AWS refuses signatures that are more than 5 minutes off"
        );
    }
}
