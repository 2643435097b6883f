//! Labels: what a job asks for and a runner offers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{InvalidName, Key, PoolName, RunRef};
use crate::stack::Arch;

/// GitHub's limit for one label, in characters.
pub const LONGEST: usize = 256;

/// One runner label. GitHub compares them without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// The label of one start: `ff-<run id>-<attempt>-<key>-<random>`.
    ///
    /// `random` must be unguessable: a label that another workflow of the repository could guess would let
    /// its job take the runner.
    pub fn of_run(run: &RunRef, key: &Key, random: &str) -> Self {
        Self(format!("ff-{run}-{key}-{random}"))
    }

    /// The run and key that a label of a start was made of; `None` for any other label.
    pub fn origin(&self) -> Option<(RunRef, Key)> {
        let (rest, _random) = self.0.strip_prefix("ff-")?.rsplit_once('-')?;
        if let Some(key) = rest.strip_prefix("hand-") {
            return Some((RunRef::ByHand, key.parse().ok()?));
        }
        let mut parts = rest.splitn(3, '-');
        let run_id = parts.next()?.parse().ok()?;
        let attempt = parts.next()?.parse().ok()?;
        Some((RunRef::Attempt { run_id, attempt }, parts.next()?.parse().ok()?))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let ok = !value.is_empty()
            && value.chars().count() <= LONGEST
            && !value.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',');
        if ok {
            Ok(Self(value.to_owned()))
        } else {
            Err(InvalidName {
                kind: "label",
                value: value.to_owned(),
                rule: "1 to 256 characters without spaces or commas",
            })
        }
    }
}

impl TryFrom<String> for Label {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        value.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The whole label set of a runner: `self-hosted`, OS, architecture, pool, the run's label, extra labels.
///
/// It is sent in full because GitHub adds none to a JIT runner reliably. Twins (without regard to case)
/// are dropped.
pub fn label_set(arch: Arch, pool: &PoolName, run: &Label, extra: &[Label]) -> Vec<Label> {
    let fixed = ["self-hosted", "linux", arch.github_label(), pool.as_str()].map(|l| Label(l.to_owned()));
    let mut set: Vec<Label> = Vec::new();
    for label in fixed.iter().chain([run]).chain(extra) {
        if !set.iter().any(|have| have.0.eq_ignore_ascii_case(&label.0)) {
            set.push(label.clone());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_refuse_spaces_commas_and_length() {
        for bad in ["", "a b", "a,b", "a\tb", &"x".repeat(257)] {
            let error = bad.parse::<Label>().unwrap_err();
            assert!(error.to_string().contains("without spaces or commas"));
        }
        assert!("x".repeat(256).parse::<Label>().is_ok());
    }

    #[test]
    fn a_label_tells_its_origin() {
        for run in [RunRef::ByHand, RunRef::Attempt { run_id: 16_000_000_000, attempt: 3 }] {
            let key: Key = "build-x64_2".parse().unwrap();
            assert_eq!(Label::of_run(&run, &key, "r4nd").origin(), Some((run, key)));
        }
        for other in ["linux", "ff-x-1-k-r", "ff-1-2-r"] {
            assert_eq!(other.parse::<Label>().unwrap().origin(), None, "{other}");
        }
    }

    #[test]
    fn the_set_is_explicit_and_has_no_twins() {
        let run =
            Label::of_run(&RunRef::Attempt { run_id: 7, attempt: 2 }, &"start".parse().unwrap(), "r4nd");
        let extra = ["GPU".parse().unwrap(), "Linux".parse().unwrap()];
        let set = label_set(Arch::X86_64, &"small".parse().unwrap(), &run, &extra);
        let words: Vec<&str> = set.iter().map(Label::as_str).collect();
        assert_eq!(words, ["self-hosted", "linux", "x64", "small", "ff-7-2-start-r4nd", "GPU"]);
    }
}
