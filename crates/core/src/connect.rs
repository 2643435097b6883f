//! What workflows have to find configured at GitHub, and what must change until they do.
//!
//! Pure: what is wanted and what is there go in, changes come out. Made twice, they are nothing the second time.
//! What somebody else may rely on is never taken away: a variable with another value, an environment that holds
//! more or has rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// The name of a variable or a secret, in capitals, as GitHub keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SettingName(String);

/// A name that GitHub does not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidSettingName(String);

impl FromStr for SettingName {
    type Err = InvalidSettingName;

    /// GitHub docs, "Naming your variables" and "Naming your secrets".
    fn from_str(text: &str) -> Result<Self, InvalidSettingName> {
        let name = text.to_ascii_uppercase();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        // The text is not repeated: somebody may have pasted the secret itself.
        let refuse = |why: &str| Err(InvalidSettingName(format!("a name {why}")));
        match name.chars().next() {
            None => refuse("is missing"),
            Some(first) if first.is_ascii_digit() => refuse("must not begin with a digit"),
            _ if !name.chars().all(legal) => refuse("consists of letters, digits and _"),
            _ if name.starts_with("GITHUB_") => refuse("must not begin with GITHUB_"),
            _ => Ok(Self(name)),
        }
    }
}

impl SettingName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The repositories of an organisation that one of its variables or secrets is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// All.
    All,
    /// The private and internal ones.
    Private,
    /// Some, which are named one by one.
    Selected,
}

/// A variable as it is at GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its value.
    pub value: String,
    /// Of an organisation's.
    pub visibility: Option<Visibility>,
}

/// An environment as it is at GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// None is meant: the settings are the repository's or organisation's own.
    NotMeant,
    /// There is none of this name.
    Absent,
    /// It is there.
    Present {
        /// Somebody protects it by rules.
        guarded: bool,
    },
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The environment.
    pub environment: Environment,
    /// All variables, by name.
    pub variables: BTreeMap<String, Variable>,
    /// All secrets, by name; their values nobody can read.
    pub secrets: BTreeMap<String, Option<Visibility>>,
}

/// What shall be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Variables.
    pub variables: BTreeMap<SettingName, String>,
    /// Secrets.
    pub secrets: BTreeSet<SettingName>,
    /// Whether secrets that are there are set anew.
    pub replace_secrets: bool,
    /// Of an organisation's: what was asked for.
    pub visibility: Option<Visibility>,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// The environment.
    Environment,
    /// A variable.
    Variable(SettingName),
    /// A secret.
    Secret(SettingName),
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make it.
    Create,
    /// Make it another one.
    Change,
    /// Take it away.
    Remove,
    /// Leave it, for this reason.
    Keep(&'static str),
}

/// One thing and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The thing.
    pub thing: Thing,
    /// What to do.
    pub action: Action,
    /// Its value now, if that is known.
    pub from: Option<String>,
    /// Its value then, if that may be told.
    pub to: Option<String>,
    /// Its visibility then; `None`: as it is, or none.
    pub visibility: Option<Visibility>,
}

impl Step {
    fn new(thing: Thing, action: Action) -> Self {
        Self { thing, action, from: None, to: None, visibility: None }
    }

    /// Whether there is something to do.
    pub fn is_change(&self) -> bool {
        !matches!(self.action, Action::Keep(_))
    }
}

/// What has to be done until what is wanted is there, in this order.
pub fn set_up(wanted: &Wanted, found: &Found) -> Vec<Step> {
    let environment = match found.environment {
        Environment::NotMeant => None,
        Environment::Absent => Some(Action::Create),
        Environment::Present { .. } => Some(Action::Keep("is there")),
    };
    let environment = environment.map(|action| Step::new(Thing::Environment, action));
    let variables = wanted.variables.iter().map(|(name, value)| {
        let thing = Thing::Variable(name.clone());
        let there = found.variables.get(name.as_str());
        let step = match there {
            None => Step { visibility: wanted.visibility, ..Step::new(thing, Action::Create) },
            Some(there) => {
                let visibility = wanted.visibility.filter(|&wanted| Some(wanted) != there.visibility);
                let same = there.value == *value && visibility.is_none();
                let action = if same { Action::Keep("is so already") } else { Action::Change };
                Step { visibility, ..Step::new(thing, action) }
            }
        };
        Step { from: there.map(|there| there.value.clone()), to: Some(value.clone()), ..step }
    });
    let secrets = wanted.secrets.iter().map(|name| {
        let thing = Thing::Secret(name.clone());
        match found.secrets.get(name.as_str()) {
            None => Step { visibility: wanted.visibility, ..Step::new(thing, Action::Create) },
            Some(there) if wanted.replace_secrets => {
                Step { visibility: wanted.visibility.or(*there), ..Step::new(thing, Action::Change) }
            }
            Some(_) => Step::new(thing, Action::Keep("is there; nobody can see whether it is the same")),
        }
    });
    environment.into_iter().chain(variables).chain(secrets).collect()
}

/// What has to be done until nothing of this is there any more, in this order.
pub fn take_down(wanted: &Wanted, found: &Found) -> Vec<Step> {
    let variables = wanted.variables.iter().filter_map(|(name, value)| {
        let there = found.variables.get(name.as_str())?;
        let action = if there.value == *value {
            Action::Remove
        } else {
            Action::Keep("has another value; somebody else may need it")
        };
        let step = Step::new(Thing::Variable(name.clone()), action);
        Some(Step { from: Some(there.value.clone()), ..step })
    });
    let secrets = wanted.secrets.iter().filter(|name| found.secrets.contains_key(name.as_str()));
    let secrets = secrets.map(|name| Step::new(Thing::Secret(name.clone()), Action::Remove));
    let mut steps: Vec<Step> = variables.chain(secrets).collect();
    if let Environment::Present { guarded } = found.environment {
        let removed = steps.iter().filter(|step| step.is_change()).count();
        let action = if guarded {
            Action::Keep("has protection rules of somebody's")
        } else if removed < found.variables.len() + found.secrets.len() {
            Action::Keep("holds more than this")
        } else {
            Action::Remove
        };
        steps.push(Step::new(Thing::Environment, action));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SettingName {
        text.parse().unwrap()
    }

    fn wanted() -> Wanted {
        Wanted {
            variables: [("A", "1"), ("B", "2")].map(|(n, v)| (name(n), v.to_owned())).into(),
            secrets: [name("S")].into(),
            replace_secrets: false,
            visibility: None,
        }
    }

    fn found(variables: &[(&str, &str)], secrets: &[&str]) -> Found {
        let variable = |value: &str| Variable { value: value.to_owned(), visibility: None };
        Found {
            environment: Environment::Present { guarded: false },
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), variable(value))).collect(),
            secrets: secrets.iter().map(|name| ((*name).to_owned(), None)).collect(),
        }
    }

    fn told(steps: &[Step]) -> Vec<String> {
        let word = |action: &Action| match action {
            Action::Create => "create",
            Action::Change => "change",
            Action::Remove => "remove",
            Action::Keep(_) => "keep",
        };
        let thing = |thing: &Thing| match thing {
            Thing::Environment => "environment".to_owned(),
            Thing::Variable(name) | Thing::Secret(name) => name.to_string(),
        };
        steps.iter().map(|step| format!("{} {}", word(&step.action), thing(&step.thing))).collect()
    }

    /// What is there when the steps have been taken.
    fn after(steps: &[Step], mut found: Found) -> Found {
        for step in steps {
            match (&step.thing, &step.action) {
                (Thing::Environment, Action::Create) => {
                    found.environment = Environment::Present { guarded: false };
                }
                (Thing::Environment, Action::Remove) => found.environment = Environment::Absent,
                (Thing::Variable(name), Action::Create | Action::Change) => {
                    let value = step.to.clone().unwrap();
                    let visibility =
                        step.visibility.or_else(|| found.variables.get(name.as_str())?.visibility);
                    found.variables.insert(name.to_string(), Variable { value, visibility });
                }
                (Thing::Variable(name), Action::Remove) => drop(found.variables.remove(name.as_str())),
                (Thing::Secret(name), Action::Create | Action::Change) => {
                    found.secrets.insert(name.to_string(), step.visibility);
                }
                (Thing::Secret(name), Action::Remove) => drop(found.secrets.remove(name.as_str())),
                _ => {}
            }
        }
        found
    }

    #[test]
    fn what_is_missing_is_made_and_a_second_time_there_is_nothing_to_do() {
        let nothing = Found { environment: Environment::Absent, ..found(&[], &[]) };
        let steps = set_up(&wanted(), &nothing);
        assert_eq!(told(&steps), ["create environment", "create A", "create B", "create S"]);
        let again = set_up(&wanted(), &after(&steps, nothing));
        assert!(!again.iter().any(Step::is_change), "{again:?}");
    }

    #[test]
    fn what_differs_is_changed_and_a_secret_only_if_asked() {
        let found = found(&[("A", "1"), ("B", "old"), ("C", "other")], &["S"]);
        let steps = set_up(&wanted(), &found);
        assert_eq!(told(&steps), ["keep environment", "keep A", "change B", "keep S"]);
        assert_eq!((steps[2].from.as_deref(), steps[2].to.as_deref()), (Some("old"), Some("2")));
        let replaced = set_up(&Wanted { replace_secrets: true, ..wanted() }, &found);
        assert_eq!(told(&replaced)[3], "change S");
        assert_eq!(replaced[3].to, None, "a secret is not told");
    }

    #[test]
    fn an_organisation_s_visibility_is_widened_only_if_asked() {
        let mut there = found(&[("A", "1"), ("B", "2")], &["S"]);
        there.environment = Environment::NotMeant;
        for variable in there.variables.values_mut() {
            variable.visibility = Some(Visibility::Selected);
        }
        assert_eq!(told(&set_up(&wanted(), &there)), ["keep A", "keep B", "keep S"]);
        let all = Wanted { visibility: Some(Visibility::All), ..wanted() };
        let steps = set_up(&all, &there);
        assert_eq!(told(&steps), ["change A", "change B", "keep S"]);
        assert_eq!(steps[0].visibility, Some(Visibility::All));
        assert!(!set_up(&all, &after(&steps, there)).iter().any(Step::is_change));
    }

    #[test]
    fn only_what_was_set_up_is_taken_down() {
        let all = found(&[("A", "1"), ("B", "2")], &["S"]);
        let steps = take_down(&wanted(), &all);
        assert_eq!(told(&steps), ["remove A", "remove B", "remove S", "remove environment"]);
        let again = take_down(&wanted(), &after(&steps, all.clone()));
        assert!(again.is_empty(), "{again:?}");

        let other = take_down(&wanted(), &found(&[("A", "1"), ("B", "other")], &[]));
        assert_eq!(told(&other), ["remove A", "keep B", "keep environment"]);
        let more = take_down(&wanted(), &found(&[("A", "1")], &["OTHER"]));
        assert_eq!(told(&more), ["remove A", "keep environment"]);
        let guarded = Found { environment: Environment::Present { guarded: true }, ..all };
        assert_eq!(told(&take_down(&wanted(), &guarded))[3], "keep environment");
    }

    #[test]
    fn names_are_github_s() {
        assert_eq!(name("fleetfoot_token").as_str(), "FLEETFOOT_TOKEN");
        for (bad, why) in [
            ("", "missing"),
            ("1A", "digit"),
            ("A-B", "letters"),
            ("github_x", "GITHUB_"),
            ("s3cret!", "letters"),
        ] {
            let error = bad.parse::<SettingName>().unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("s3cret"), "{bad}: {error}");
        }
    }
}
