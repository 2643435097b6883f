//! Waits for the assignment and takes it out of the mailbox.

use std::time::Duration;

use fleetfoot_core::assignment::{Assignment, MailboxAddress};
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::ports::Inbox;
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, warn};

use crate::unready::{Unready, chain};

/// How fast to look, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The longest pause between two looks; the first is a tenth of it.
    pub(crate) longest: Duration,
    /// When to give up.
    pub(crate) deadline: Instant,
    /// How long that was from the start, for the error.
    pub(crate) timeout: Duration,
}

const ONE_CALL: Duration = Duration::from_secs(10);
const DELETE_TRIES: u32 = 3;
const DELETE_PAUSE: Duration = Duration::from_millis(200);

/// Looks until the assignment is there, takes it and deletes it.
pub(crate) async fn collect<I: Inbox>(
    inbox: &I,
    address: &MailboxAddress,
    wanted: &RunnerName,
    pace: Pace,
) -> Result<Assignment, Unready> {
    let mut last = None;
    let mut looks = Looks::new(pace.longest, address);
    loop {
        let pause = looks.next_pause();
        let wait = match timeout(ONE_CALL, inbox.read(address)).await {
            Ok(Ok(Some(bytes))) => {
                debug!(looks = looks.count, "the assignment is there");
                // Whatever it turns out to be, it may be a secret: it does not stay there.
                delete(inbox, address).await;
                return open(bytes.expose_secret(), address, wanted);
            }
            Ok(Ok(None)) => pause,
            Ok(Err(fault)) => {
                let Some(wait) = fault.again_after(pause) else {
                    return Err(Unready::Refused(Box::new(fault)));
                };
                warn!(
                    error = chain(&fault),
                    class = fault.class.word(),
                    "cannot look into the mailbox; trying again"
                );
                last = Some(Box::new(fault));
                wait
            }
            Err(_) => {
                warn!(after_s = ONE_CALL.as_secs(), "a look into the mailbox took too long; trying again");
                pause
            }
        };
        if Instant::now() + wait >= pace.deadline {
            return Err(Unready::NothingCame {
                address: address.clone(),
                waited_s: pace.timeout.as_secs(),
                last,
            });
        }
        sleep(wait).await;
    }
}

fn open(document: &str, address: &MailboxAddress, wanted: &RunnerName) -> Result<Assignment, Unready> {
    let unusable = |why: String| Unready::Document { address: address.clone(), why };
    let assignment = Assignment::from_json(document.as_bytes()).map_err(unusable)?;
    if assignment.runner != *wanted {
        return Err(Unready::WrongRunner {
            address: address.clone(),
            found: assignment.runner,
            wanted: wanted.clone(),
        });
    }
    for (field, value) in
        [("idle_timeout", assignment.idle_timeout), ("max_lifetime", assignment.max_lifetime)]
    {
        if value == 0 {
            return Err(unusable(format!("{field} is 0; the runner would end at once")));
        }
    }
    Ok(assignment)
}

/// Deletes the document. A failure is told and survived: the bucket's life cycle deletes it within days.
async fn delete<I: Inbox>(inbox: &I, address: &MailboxAddress) {
    for attempt in 1..=DELETE_TRIES {
        let fault = match timeout(ONE_CALL, inbox.delete(address)).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => chain(&fault),
            Err(_) => format!("no answer within {} s", ONE_CALL.as_secs()),
        };
        error!(%address, attempt, of = DELETE_TRIES, error = fault, "cannot delete the assignment");
        if attempt < DELETE_TRIES {
            sleep(DELETE_PAUSE * attempt).await;
        }
    }
}

/// The pauses between looks: growing from a tenth of the longest, and spread by a tenth so that the tasks
/// of one launch do not look in step. The spread comes from the address, which differs from task to task.
struct Looks {
    longest: Duration,
    pause: Duration,
    spread: u64,
    count: u32,
}

impl Looks {
    fn new(longest: Duration, address: &MailboxAddress) -> Self {
        let spread = address
            .key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self { longest, pause: longest / 10, spread, count: 0 }
    }

    fn next_pause(&mut self) -> Duration {
        self.count += 1;
        // xorshift64: the next of a sequence is all that is asked of it.
        self.spread ^= self.spread << 13;
        self.spread ^= self.spread >> 7;
        self.spread ^= self.spread << 17;
        let permille = 900 + u32::try_from(self.spread % 201).unwrap_or_default();
        let pause = self.pause * permille / 1000;
        self.pause = (self.pause * 5 / 4).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use fleetfoot_core::fault::{Class, Fault};
    use secrecy::SecretString;

    /// Answers what it was told to, in order; the last answer stays.
    struct Script {
        reads: Mutex<VecDeque<Result<Option<&'static str>, Class>>>,
        deletes: Mutex<VecDeque<Result<(), Class>>>,
        deleted: Mutex<u32>,
    }

    impl Script {
        fn new(reads: impl IntoIterator<Item = Result<Option<&'static str>, Class>>) -> Self {
            Self {
                reads: Mutex::new(reads.into_iter().collect()),
                deletes: Mutex::default(),
                deleted: Mutex::default(),
            }
        }
    }

    impl Inbox for Script {
        async fn read(&self, _: &MailboxAddress) -> Result<Option<SecretString>, Fault> {
            let mut reads = self.reads.lock().unwrap();
            let answer = if reads.len() > 1 { reads.pop_front().unwrap() } else { reads[0].clone() };
            answer.map(|text| text.map(SecretString::from)).map_err(|c| Fault::new(c, "read", "scripted"))
        }

        async fn delete(&self, _: &MailboxAddress) -> Result<(), Fault> {
            *self.deleted.lock().unwrap() += 1;
            let answer = self.deletes.lock().unwrap().pop_front().unwrap_or(Ok(()));
            answer.map_err(|c| Fault::new(c, "delete", "scripted"))
        }
    }

    const GOOD: &str =
        r#"{"version":1,"runner":"ff-0123","jit_config":"s3cret","idle_timeout":60,"max_lifetime":600}"#;

    async fn take(script: &Script) -> Result<Assignment, Unready> {
        let task = "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123".parse().unwrap();
        let address =
            "s3://b/m/n/".parse::<fleetfoot_core::assignment::MailboxPrefix>().unwrap().of_task(&task);
        let timeout = Duration::from_millis(400);
        let pace = Pace { longest: Duration::from_millis(20), deadline: Instant::now() + timeout, timeout };
        collect(script, &address, &RunnerName::of_task(&task), pace).await
    }

    #[tokio::test]
    async fn not_yet_and_trouble_are_waited_out() {
        let script = Script::new([
            Ok(None),
            Err(Class::Unknown),
            Err(Class::Throttled { retry_after: Some(Duration::from_millis(30)) }),
            Ok(None),
            Ok(Some(GOOD)),
        ]);
        let assignment = take(&script).await.unwrap();
        assert_eq!(assignment.jit_config.expose_secret(), "s3cret");
        assert_eq!(*script.deleted.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn the_deadline_tells_the_last_trouble() {
        let nothing = take(&Script::new([Ok(None)])).await.unwrap_err();
        assert_eq!(nothing.exit(), fleetfoot_core::exit::AgentExit::NoAssignment);
        assert!(nothing.to_string().ends_with("within 0 s"), "{nothing}");
        let trouble = take(&Script::new([Err(Class::Unknown)])).await.unwrap_err();
        assert!(trouble.to_string().contains("the last look failed: cannot read"), "{trouble}");
    }

    #[tokio::test]
    async fn a_refusal_is_not_waited_out() {
        for class in [Class::Denied, Class::Invalid] {
            let before = Instant::now();
            let error = take(&Script::new([Err(class)])).await.unwrap_err();
            assert_eq!(error.exit(), fleetfoot_core::exit::AgentExit::BadAssignment);
            assert!(before.elapsed() < Duration::from_millis(200));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_deleted_and_not_shown() {
        let documents = [
            ("s3cret", "not an assignment"),
            (r#"{"version":7,"jit_config":"s3cret"}"#, "version 7"),
            (
                r#"{"version":1,"runner":"ff-other","jit_config":"s3cret","idle_timeout":1,"max_lifetime":1}"#,
                "is for the runner ff-other, and this task is ff-0123",
            ),
            (
                r#"{"version":1,"runner":"ff-0123","jit_config":"s3cret","idle_timeout":0,"max_lifetime":1}"#,
                "idle_timeout is 0",
            ),
        ];
        for (document, want) in documents {
            let script = Script::new([Ok(Some(document))]);
            let text = take(&script).await.unwrap_err().to_string();
            assert!(text.contains(want) && !text.contains("s3cret"), "{text}");
            assert_eq!(*script.deleted.lock().unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn a_failed_delete_is_tried_again_and_survived() {
        let script = Script::new([Ok(Some(GOOD))]);
        script.deletes.lock().unwrap().extend([Err(Class::Unknown), Ok(())]);
        assert!(take(&script).await.is_ok());
        assert_eq!(*script.deleted.lock().unwrap(), 2);
        let script = Script::new([Ok(Some(GOOD))]);
        script.deletes.lock().unwrap().extend([const { Err(Class::Unknown) }; 5]);
        assert!(take(&script).await.is_ok());
        assert_eq!(*script.deleted.lock().unwrap(), DELETE_TRIES);
    }

    #[test]
    fn the_pauses_grow_and_stay_below_their_ceiling() {
        let address = MailboxAddress { bucket: "b".into(), key: "m/n/0123".into() };
        let mut looks = Looks::new(Duration::from_secs(1), &address);
        let pauses: Vec<_> = (0..30).map(|_| looks.next_pause().as_millis()).collect();
        assert!((90..=110).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses[10..].iter().all(|p| (800..=1100).contains(p)), "{pauses:?}");
        let other = MailboxAddress { bucket: "b".into(), key: "m/n/4567".into() };
        assert_ne!(Looks::new(Duration::from_secs(1), &other).next_pause().as_millis(), pauses[0]);
    }
}
