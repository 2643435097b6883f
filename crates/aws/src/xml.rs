//! The XML that S3, STS and EC2 answer with.

use fleetfoot_core::fault::{Class, Fault};
use quick_xml::escape::unescape;
use serde::de::DeserializeOwned;

/// An error document, cut to what is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorDocument {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Reads an answer.
pub(crate) fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Fault> {
    let unreadable =
        |why: String| Fault::new(Class::Unknown, what, format!("the answer cannot be read: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| unreadable(error.to_string()))?;
    quick_xml::de::from_str(text).map_err(|error| unreadable(error.to_string()))
}

/// Reads `<Code>…</Code><Message>…</Message>`, which each service wraps in other elements. A body that is
/// something else, such as a proxy's page, gives nothing, and the status speaks alone.
pub(crate) fn read_error(body: &[u8]) -> ErrorDocument {
    let Ok(text) = std::str::from_utf8(body) else { return ErrorDocument::default() };
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (escaped, _) = rest.split_once(&format!("</{name}>"))?;
        Some(unescape(escaped).map_or_else(|_| escaped.to_owned(), std::borrow::Cow::into_owned))
    };
    ErrorDocument {
        code: element("Code").unwrap_or_default(),
        message: element("Message").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn an_error_document_is_read_and_anything_else_is_not() {
        let expected = ErrorDocument { code: "NoSuchKey".into(), message: "It's not there.".into() };
        for body in [
            "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>It&apos;s not there.</Message></Error>",
            "<Response><Errors><Error><Code>NoSuchKey</Code><Message>It's not there.</Message></Error></Errors></Response>",
        ] {
            assert_eq!(read_error(body.as_bytes()), expected);
        }
        for other in [&b"<html>Bad gateway</html>"[..], b"", b"\xff"] {
            assert_eq!(read_error(other), ErrorDocument::default());
        }
    }

    #[test]
    fn an_answer_that_is_none_is_no_answer() {
        #[derive(Debug, Deserialize)]
        struct Answer {
            #[serde(rename = "Account")]
            account: String,
        }
        assert_eq!(read::<Answer>("look", b"<A>\n <Account>1</Account>\n</A>").unwrap().account, "1");
        for other in [&b"<A></A>"[..], b"{}", b"\xff", b""] {
            assert_eq!(read::<Answer>("look", other).unwrap_err().class, Class::Unknown);
        }
    }
}
