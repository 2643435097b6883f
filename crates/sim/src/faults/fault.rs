//! One fault: what goes wrong, and how often.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::arguments;
use super::error::FaultError;
use super::kind::FaultKind;

/// What goes wrong, and how often. Its text form is described at [the module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How often.
    pub when: When,
}

/// At which of its opportunities a fault fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct When {
    /// So many pass first.
    pub skip: u32,
    /// How often it fires at most; `None` is without limit.
    pub count: Option<u32>,
    /// How likely it fires at each of them, above 0 and up to 1.
    pub probability: f64,
}

impl When {
    /// At the first opportunity, and then no more.
    pub const ONCE: Self = Self { skip: 0, count: Some(1), probability: 1.0 };
    /// At every opportunity.
    pub const ALWAYS: Self = Self { skip: 0, count: None, probability: 1.0 };
}

impl Fault {
    /// A fault that fires once.
    pub fn once(kind: FaultKind) -> Self {
        Self { kind, when: When::ONCE }
    }

    /// A fault that fires at every opportunity.
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, when: When::ALWAYS }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let (what, often) = text.split_at(text.find(['*', '@', '+']).unwrap_or(text.len()));
        let mut parts = what.split(':');
        let name = parts.next().unwrap_or_default();
        let kind = arguments::read(name, &parts.collect::<Vec<_>>())?;
        Ok(Self { kind, when: often.parse()? })
    }
}

impl FromStr for When {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let wrong = |problem| FaultError::When { text: text.to_owned(), problem };
        let (mut count, mut probability, mut skip) = (None, None, None);
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            let body = &rest[sign.len_utf8()..];
            let (value, after) = body.split_at(body.find(['*', '@', '+']).unwrap_or(body.len()));
            let twice = match sign {
                '*' => {
                    let number = || value.parse().ok().filter(|count| *count > 0);
                    let limit = if value.is_empty() {
                        None
                    } else {
                        Some(number().ok_or_else(|| wrong("after * comes a number from 1 on, or nothing"))?)
                    };
                    count.replace(limit).is_some()
                }
                '@' => {
                    let wanted = |p: &f64| *p > 0.0 && *p <= 1.0;
                    let value = value.parse().ok().filter(wanted);
                    let value = value.ok_or_else(|| wrong("after @ comes a probability above 0, up to 1"))?;
                    probability.replace(value).is_some()
                }
                '+' => {
                    let value = value.parse().map_err(|_| wrong("after + comes a number"))?;
                    skip.replace(value).is_some()
                }
                _ => return Err(wrong("write *COUNT, @PROBABILITY and +SKIP")),
            };
            if twice {
                return Err(wrong("each of *, @ and + can stand once"));
            }
            rest = after;
        }
        // A probability without a count is meant for every opportunity.
        let usual = if probability.is_some() { None } else { Some(1) };
        Ok(Self {
            skip: skip.unwrap_or(0),
            count: count.unwrap_or(usual),
            probability: probability.unwrap_or(1.0),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        for argument in arguments::write(&self.kind) {
            write!(f, ":{argument}")?;
        }
        self.when.fmt(f)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certain = self.probability >= 1.0;
        match self.count {
            Some(1) if certain => {}
            Some(count) => write!(f, "*{count}")?,
            None if certain => f.write_str("*")?,
            None => {}
        }
        if !certain {
            write!(f, "@{}", self.probability)?;
        }
        if self.skip > 0 {
            write!(f, "+{}", self.skip)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Fault {
    type Error = FaultError;

    fn try_from(text: String) -> Result<Self, FaultError> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::target::Target;
    use super::super::words::{LimitStatus, Moment, OidcRefusal, StartFailure};
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap()
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(fault("jit-409"), Fault::once(FaultKind::Jit409));
        assert_eq!(
            fault("no-capacity:FARGATE_SPOT*"),
            Fault::always(FaultKind::NoCapacity { provider: Target::only("FARGATE_SPOT") })
        );
        assert_eq!(
            fault("task-fails-to-start:network").kind,
            FaultKind::TaskFailsToStart { reason: StartFailure::Network, provider: Target::any() }
        );
        assert_eq!(
            fault("rate-limit-primary:429:2.5:get-runner").kind,
            FaultKind::RateLimitPrimary {
                status: LimitStatus::TooManyRequests,
                wait: Duration::from_millis(2500),
                operation: Target::only("get-runner"),
            }
        );
        assert_eq!(
            fault("task-killed:1.5:any").kind,
            FaultKind::TaskKilled {
                moment: Moment::Running(Duration::from_millis(1500)),
                provider: Target::any()
            }
        );
        assert_eq!(
            fault("oidc-refused:IDPCommunicationError").kind,
            FaultKind::OidcRefused { how: OidcRefusal::IdpCommunicationError }
        );
        let FaultKind::ClockSkew { by, .. } = fault("clock-skew:-600:sts*").kind else { panic!() };
        assert_eq!(by.as_secs(), -600);
    }

    #[test]
    fn how_often_is_read() {
        let when = |text: &str| fault(&format!("jit-409{text}")).when;
        assert_eq!(when(""), When::ONCE);
        assert_eq!(when("*"), When::ALWAYS);
        assert_eq!(when("*3+2"), When { skip: 2, count: Some(3), probability: 1.0 });
        assert_eq!(when("@0.25"), When { skip: 0, count: None, probability: 0.25 });
        assert_eq!(when("+1@0.5*2"), When { skip: 1, count: Some(2), probability: 0.5 });
    }

    #[test]
    fn texts_are_written_as_short_as_they_can_be() {
        for (text, short) in [
            ("ecs-throttle:any", "ecs-throttle"),
            ("ecs-throttle:runtask*1", "ecs-throttle:RunTask"),
            ("s3-fails:503:PutObject", "s3-fails:503:PutObject"),
            ("s3-fails:503:any", "s3-fails"),
            ("spot-interruption:0:120", "spot-interruption"),
            ("spot-interruption:0:0.5", "spot-interruption:0:0.5"),
            ("task-killed:running:FARGATE", "task-killed:running:FARGATE"),
            ("jit-409@1", "jit-409*"),
            ("jit-409+3*2@0.5", "jit-409*2@0.5+3"),
        ] {
            assert_eq!(fault(text).to_string(), short);
            assert_eq!(fault(short), fault(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn how_often_survives_the_round_trip(
            skip in 0_u32..,
            count in proptest::option::of(1_u32..),
            probability in 0.000_001..=1.0_f64,
        ) {
            let fault = Fault { kind: FaultKind::Jit409, when: When { skip, count, probability } };
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_do() {
        for (text, words) in [
            ("ecs-throttles", "did you mean `ecs-throttle`?"),
            ("throttle", "did you mean `ecs-throttle`?"),
            ("", "there are ecs-throttle, ecs-500"),
            ("slow-start", "needs SECONDS: write slow-start:SECONDS"),
            ("lost-answer", "needs OPERATION"),
            ("lost-answer:RunTasks", "it takes one of ecs, RunTask"),
            ("ecs-throttle:PutObject", "it takes one of RunTask"),
            ("slow-start:soon", "write seconds from 0"),
            ("slow-start:1e9", "write seconds from 0"),
            ("task-fails-to-start:bad-luck", "it takes one of pull, init, memory, network, capacity"),
            ("jit-409:now", "takes no further `now`"),
            ("jit-409*0", "after * comes a number from 1 on"),
            ("jit-409@2", "after @ comes a probability"),
            ("jit-409@0", "after @ comes a probability"),
            ("jit-409+x", "after + comes a number"),
            ("jit-409*2*3", "can stand once"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
