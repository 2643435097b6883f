//! Variables of other runner images that mean something which Fleetfoot does not do. They are refused by name:
//! who sets them counts on what they say.

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it. Holds no secret.
    pub why: String,
    /// What to do instead.
    pub remedy: String,
}

impl Refused {
    pub(super) fn new(variable: &'static str, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { variable, why: why.into(), remedy: remedy.into() }
    }
}

/// A wish that cannot be granted, and how to know it.
struct Wish {
    variable: &'static str,
    /// Whether a value asks for it.
    asks: fn(&str) -> bool,
    why: &'static str,
    remedy: &'static str,
}

const WISHES: [Wish; 6] = [
    Wish {
        variable: "EPHEMERAL",
        asks: is_no,
        why: "it asks for a runner that takes job after job; this one is good for a single job",
        remedy: "leave it out, and let something start a task for each job",
    },
    Wish {
        variable: "CONFIGURED_ACTIONS_RUNNER_FILES_DIR",
        asks: |_| true,
        why: "it asks to keep a registration for the next start; a registration is good for a single job",
        remedy: "leave it out",
    },
    Wish {
        variable: "DISABLE_AUTOMATIC_DEREGISTRATION",
        asks: |value| value != "false",
        why: "it asks to leave the registration behind; no registration is left behind here",
        remedy: "leave it out",
    },
    Wish {
        variable: "ENABLE_RUNNER_WORKDIR_SUFFIX",
        asks: is_yes,
        why: "it asks for a work folder named after the runner, whose name may still change when GitHub is told \
              the folder",
        remedy: "leave it out, and give each task a RUNNER_WORKDIR of its own if they share a volume",
    },
    Wish {
        variable: "START_DOCKER_SERVICE",
        asks: is_yes,
        why: "it asks for a Docker daemon in the container, which the agent does not start",
        remedy: "leave it out, and run the daemon in a container beside this one",
    },
    Wish {
        variable: "DEBUG_ONLY",
        asks: is_yes,
        why: "it asks for a start that registers nothing",
        remedy: "leave it out; FLEETFOOT_LOG=debug tells more of a real start",
    },
];

/// The wishes that cannot be granted.
pub(super) fn wishes(look: impl Fn(&'static str) -> Option<String>) -> Vec<Refused> {
    let asked = WISHES.iter().filter(|wish| look(wish.variable).is_some_and(|value| (wish.asks)(&value)));
    asked.map(|wish| Refused::new(wish.variable, wish.why, wish.remedy)).collect()
}

/// Whether a value of a flag says yes.
pub(super) fn is_yes(value: &str) -> bool {
    ["true", "1", "yes", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

fn is_no(value: &str) -> bool {
    ["false", "0", "no", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(variable: &str, value: &str) -> bool {
        let found = wishes(|name| (name == variable).then(|| value.to_owned()));
        found.iter().any(|refused| refused.variable == variable)
    }

    #[test]
    fn a_wish_is_refused_and_its_opposite_is_not() {
        for (variable, refuses, takes) in [
            ("EPHEMERAL", "False", "1"),
            ("EPHEMERAL", "0", "true"),
            ("DISABLE_AUTOMATIC_DEREGISTRATION", "true", "false"),
            ("DISABLE_AUTOMATIC_DEREGISTRATION", "no", "false"),
            ("ENABLE_RUNNER_WORKDIR_SUFFIX", "true", "false"),
            ("START_DOCKER_SERVICE", "true", "false"),
            ("DEBUG_ONLY", "true", "false"),
        ] {
            assert!(refused(variable, refuses), "{variable}={refuses}");
            assert!(!refused(variable, takes), "{variable}={takes}");
        }
        assert!(refused("CONFIGURED_ACTIONS_RUNNER_FILES_DIR", "/data"));
        assert!(wishes(|_| None).is_empty());
    }
}
