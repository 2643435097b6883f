//! What a Describe call asks for: ids, filters and a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::error::AwsError;
use super::super::iam::wildcard;
use super::super::sts::Form;

/// The most values of all filters together (EC2 User Guide, "List and filter your resources").
const MOST_VALUES: usize = 200;

/// How one kind of thing is asked for.
pub(super) struct Kind {
    /// The parameter that names ids, without its number.
    pub(super) parameter: &'static str,
    /// The code for an id that is not there.
    pub(super) not_found: &'static str,
    /// What the message calls it.
    pub(super) noun: &'static str,
    /// The filters that are simulated.
    pub(super) filters: &'static [&'static str],
}

/// A request, read.
pub(super) struct Asked {
    ids: Vec<String>,
    filters: Vec<(String, Vec<String>)>,
    limit: usize,
    after: usize,
}

impl Asked {
    pub(super) fn read(form: &Form, kind: &Kind) -> Result<Self, AwsError> {
        if form.get("DryRun").is_some_and(|value| value == "true") {
            return Err(AwsError::not_simulated("DryRun"));
        }
        let ids: Vec<String> = numbered(form, kind.parameter);
        let mut filters = Vec::new();
        for number in 1.. {
            let Some(name) = form.get(&format!("Filter.{number}.Name")) else { break };
            if !kind.filters.contains(&name) {
                return Err(AwsError::not_simulated(format!("the filter {name}")));
            }
            let values = numbered(form, &format!("Filter.{number}.Value"));
            if values.is_empty() {
                return Err(AwsError::new(
                    "InvalidParameterValue",
                    format!("The filter '{name}' needs a value"),
                ));
            }
            filters.push((name.to_owned(), values));
        }
        if filters.iter().map(|(_, values)| values.len()).sum::<usize>() > MOST_VALUES {
            return Err(AwsError::new(
                "FilterLimitExceeded",
                "The maximum number of filter values specified on a single call is 200",
            ));
        }
        let limit = match form.get("MaxResults").map(str::parse::<usize>) {
            None => 1000,
            Some(Ok(limit @ 5..=1000)) if ids.is_empty() => limit,
            Some(Ok(5..=1000)) => {
                return Err(AwsError::new(
                    "InvalidParameterCombination",
                    format!("The parameter {}s cannot be used with the parameter maxResults", kind.parameter),
                ));
            }
            Some(_) => {
                return Err(AwsError::new(
                    "InvalidParameterValue",
                    "Value for parameter maxResults is invalid. Expecting a value between 5 and 1000.",
                ));
            }
        };
        let after = form.get("NextToken").map_or(Ok(0), position)?;
        Ok(Self { ids, filters, limit, after })
    }

    /// The things that are asked for, in the order of their ids, and the token of the next page if there is one.
    pub(super) fn pick<'a, T>(
        &self,
        kind: &Kind,
        all: impl Iterator<Item = (&'a String, &'a T)> + Clone,
        value: impl Fn(&T, &str) -> String,
    ) -> Result<(Vec<&'a T>, Option<String>), AwsError> {
        if let Some(missing) = self.ids.iter().find(|id| !all.clone().any(|(known, _)| known == *id)) {
            return Err(AwsError::new(
                kind.not_found,
                format!("The {} '{missing}' does not exist", kind.noun),
            ));
        }
        let wanted = |(id, thing): &(&'a String, &'a T)| {
            let named = self.ids.is_empty() || self.ids.contains(id);
            named
                && self
                    .filters
                    .iter()
                    .all(|(name, values)| values.iter().any(|pattern| wildcard(pattern, &value(thing, name))))
        };
        let mut found: Vec<&T> = all.filter(wanted).map(|(_, thing)| thing).skip(self.after).collect();
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let token = more.then(|| STANDARD.encode((self.after + self.limit).to_string()));
        Ok((found, token))
    }
}

/// The values of `Name.1`, `Name.2`, …
fn numbered(form: &Form, name: &str) -> Vec<String> {
    (1..).map_while(|number| form.get(&format!("{name}.{number}"))).map(str::to_owned).collect()
}

fn position(token: &str) -> Result<usize, AwsError> {
    STANDARD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
        .ok_or_else(|| AwsError::new("InvalidNextToken", "The token is not valid"))
}
