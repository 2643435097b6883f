//! The page of the benchmarks: each has a part of its own there, between two marks, and leaves the others alone.

const HEAD: &str = "\
# Benchmarks

Each part was written by the command that stands in it; run it to have numbers of your own machine. Nothing here was typed \
by hand.
";

/// The page with this part in it: in the place of what it was before, or where the order of the names has it.
///
/// # Errors
/// A part on the page has a beginning and no end.
pub(crate) fn with_part(page: &str, order: &[&str], name: &str, part: &str) -> Result<String, String> {
    let mut written = String::from(HEAD);
    for other in order {
        let old = part_of(page, other)?;
        let text = if *other == name { Some(part) } else { old };
        if let Some(text) = text {
            written.extend(["\n", &begin(other), "\n", text.trim(), "\n", &end(other), "\n"]);
        }
    }
    Ok(written)
}

fn begin(name: &str) -> String {
    format!("<!-- bench {name}: begin -->")
}

fn end(name: &str) -> String {
    format!("<!-- bench {name}: end -->")
}

fn part_of<'a>(page: &'a str, name: &str) -> Result<Option<&'a str>, String> {
    let Some((_, rest)) = page.split_once(&begin(name)) else { return Ok(None) };
    match rest.split_once(&end(name)) {
        Some((part, _)) => Ok(Some(part)),
        None => Err(format!("the page has no line {:?}", end(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [&str; 2] = ["start", "agent"];

    fn put(page: &str, name: &str, part: &str) -> String {
        with_part(page, &ORDER, name, part).unwrap()
    }

    #[test]
    fn each_part_leaves_the_other_alone() {
        let page = put("", "agent", "## Agent\n\n1 ms\n");
        let page = put(&page, "start", "## Start\n\n2 ms\n");
        let start = page.find("## Start\n\n2 ms").unwrap();
        assert!(
            page.starts_with("# Benchmarks\n") && start < page.find("## Agent\n\n1 ms").unwrap(),
            "{page}"
        );
        let again = put(&page, "start", "## Start\n\n3 ms\n");
        assert_eq!(again, page.replace("2 ms", "3 ms"));
        assert_eq!(put(&again, "agent", "## Agent\n\n1 ms\n"), again);
    }

    #[test]
    fn a_part_without_an_end_is_not_guessed_at() {
        let page = put("", "start", "1 ms").replace("<!-- bench start: end -->", "");
        assert!(with_part(&page, &ORDER, "agent", "2 ms").is_err());
    }
}
