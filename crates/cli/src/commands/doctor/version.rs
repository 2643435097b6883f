//! Whether GitHub still gives jobs to the runner in an image.
//!
//! ECS does not know what is in an image, so that whoever registers the task definition says it in a tag. For 30
//! days after a release GitHub serves the versions before it (GitHub docs, "Self-hosted runners reference").
//! Only the newest release is asked for: how long before it the image's version was overtaken is not known, but
//! that it was overtaken once a month is, as releases go.

use fleetfoot_aws::RUNNER_VERSION_TAG;
use fleetfoot_github::{RunnerRelease, RunnerVersion};
use jiff::{SignedDuration, Timestamp};

use super::finding::{Check, Finding, Of};

/// For how long GitHub serves a version after a newer one is there.
const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many minor versions behind is more than a month, whenever the newest was released.
const FAR: u32 = 3;

/// GitHub registers no runner below this, whatever comes out when (GitHub changelog, 2026).
const FLOOR: RunnerVersion = RunnerVersion { major: 2, minor: 329, patch: 0 };

/// Why the newest release is not known.
#[derive(Debug)]
pub(super) enum Unknown {
    /// GitHub was not asked, because of this.
    NotAsked(Check),
    /// GitHub did not say.
    NotTold(String),
}

/// The image's version, as its task definition tells it, beside the newest release or why that is not known.
pub(super) fn judge(
    of: Of,
    told: Option<&str>,
    newest: Result<&RunnerRelease, &Unknown>,
    now: Timestamp,
) -> Finding {
    let Some(told) = told else {
        return of.note(
            "the task definition does not say which version of GitHub's runner its image holds",
            format!("Tag the task definition where it is registered: {RUNNER_VERSION_TAG} = 2.336.0, say."),
        );
    };
    let have: RunnerVersion = match told.parse() {
        Ok(have) => have,
        Err(error) => {
            let error: fleetfoot_github::InvalidVersion = error;
            return of.warning(
                format!("the tag {RUNNER_VERSION_TAG} of the task definition cannot be read: {error}"),
                "Correct the tag where the task definition is registered.",
            );
        }
    };
    let rebuild = |version: RunnerVersion| {
        format!(
            "Build the image anew from ghcr.io/actions/actions-runner:{version}, and register the task definition \
             with it and its tag."
        )
    };
    if have < FLOOR {
        return of.problem(
            format!("the image has the runner {have}; GitHub registers none below {FLOOR}"),
            rebuild(newest.map_or(FLOOR, |newest| newest.version)),
        );
    }
    let newest = match newest {
        Ok(newest) => newest,
        Err(Unknown::NotAsked(because)) => return of.skipped(*because),
        Err(Unknown::NotTold(why)) => {
            return of.note(
                format!("the image has the runner {have}; whether there is a newer one is not known: {why}"),
                "Compare it with https://github.com/actions/runner/releases.",
            );
        }
    };
    if have >= newest.version {
        return of.ok(format!("the image has the runner {have}, the newest"));
    }
    let end = newest.published + GRACE;
    let (released, end_date) = (newest.published.strftime("%F"), end.strftime("%F"));
    let sentence = format!("the image has the runner {have}; {} came out on {released}", newest.version);
    if end <= now {
        return of.problem(
            format!("{sentence}, so that GitHub gives it no jobs since {end_date} or earlier"),
            rebuild(newest.version),
        );
    }
    if is_far(have, newest.version) {
        return of.problem(
            format!(
                "{sentence}, and others in between: GitHub gives jobs to a version for 30 days after the next one"
            ),
            rebuild(newest.version),
        );
    }
    of.warning(
        format!("{sentence}, so that GitHub gives it jobs until {end_date} at the longest"),
        rebuild(newest.version),
    )
}

fn is_far(have: RunnerVersion, newest: RunnerVersion) -> bool {
    have.major != newest.major || newest.minor - have.minor >= FAR
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn judged(told: Option<&str>, newest: &str, days_ago: i32) -> Finding {
        let now: Timestamp = "2026-05-31T12:00:00Z".parse().unwrap();
        let release = RunnerRelease { version: newest.parse().unwrap(), published: now - DAY * days_ago };
        judge(Check::RunnerVersion.of("linux"), told, Ok(&release), now)
    }

    #[test]
    fn a_version_grows_old_by_steps() {
        for (told, days_ago, state) in [
            ("2.336.0", 100, State::Ok),
            ("2.337.0", 100, State::Ok),
            ("2.335.1", 1, State::Warning),
            ("2.334.0", 29, State::Warning),
            ("2.335.1", 30, State::Problem),
            ("2.333.0", 1, State::Problem),
            ("2.328.0", 1, State::Problem),
            ("1.0.0", 1, State::Problem),
            ("newest", 1, State::Warning),
        ] {
            assert_eq!(judged(Some(told), "2.336.0", days_ago).state, state, "{told}, {days_ago}");
        }
        assert_eq!(judged(None, "2.336.0", 1).state, State::Note);
        assert_eq!(judged(Some("2.336.0"), "3.0.0", 1).state, State::Problem);
    }

    #[test]
    fn the_sentence_has_the_last_day() {
        assert_eq!(
            judged(Some("2.335.1"), "2.336.0", 1).sentence,
            "the image has the runner 2.335.1; 2.336.0 came out on 2026-05-30, so that GitHub gives it jobs until \
             2026-06-29 at the longest"
        );
        assert!(
            judged(Some("2.335.1"), "2.336.0", 40).sentence.ends_with("no jobs since 2026-05-21 or earlier")
        );
    }

    #[test]
    fn without_the_newest_only_the_floor_is_known() {
        let now = Timestamp::UNIX_EPOCH;
        let judge = |told, why| judge(Check::RunnerVersion.of("linux"), Some(told), Err(&why), now).state;
        let not_told = || Unknown::NotTold("no".to_owned());
        assert_eq!(
            (judge("2.336.0", not_told()), judge("2.328.9", not_told())),
            (State::Note, State::Problem)
        );
        let not_asked = || Unknown::NotAsked(Check::GithubClock);
        assert_eq!(judge("2.336.0", not_asked()), State::Skipped);
        assert_eq!(judge("2.328.9", not_asked()), State::Problem);
    }
}
