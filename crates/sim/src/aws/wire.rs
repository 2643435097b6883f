//! Requests and answers without an HTTP library: what the state machines read and write.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::error::AwsError;
use super::xml;

/// One HTTP request, whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// `GET`, `PUT`, …
    pub(crate) method: String,
    /// The path as it came, still percent-encoded.
    pub(crate) path: String,
    /// The query as it came, without the question mark.
    pub(crate) query: String,
    /// Header names in lower case with their values, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The decoded parameters of the query.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The first value of a parameter of the query.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// One HTTP answer, with what the book may know of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Header names and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The answer for the book: JSON only, secrets already taken out.
    pub(crate) record: Option<Value>,
}

impl Answer {
    /// An answer of the JSON 1.1 protocol that the book may keep as it is.
    pub(crate) fn json(body: Value) -> Self {
        let answer = Self::secret_json(&body, Value::Null);
        Self { record: Some(body), ..answer }
    }

    /// An answer that holds a secret; `record` is what the book keeps in its place.
    pub(crate) fn secret_json(body: &Value, record: Value) -> Self {
        Self {
            status: 200,
            headers: vec![header("content-type", "application/x-amz-json-1.1")],
            body: body.to_string().into_bytes(),
            record: Some(record),
        }
    }

    /// An XML answer.
    pub(crate) fn xml(status: u16, content_type: &str, body: String) -> Self {
        Self {
            status,
            headers: vec![header("content-type", content_type)],
            body: body.into_bytes(),
            record: None,
        }
    }

    /// A refusal in the JSON 1.1 protocol.
    pub(crate) fn json_error(error: &AwsError) -> Self {
        let mut body = Map::new();
        body.insert("__type".to_owned(), json!(error.code));
        // IAM's refusals capitalise the member; clients read both.
        let message = if error.code == "AccessDeniedException" { "Message" } else { "message" };
        body.insert(message.to_owned(), json!(error.message));
        body.extend(error.members.clone());
        Self { status: error.status, ..Self::json(Value::Object(body)) }
    }

    /// A refusal in STS's query protocol.
    pub(crate) fn query_error(error: &AwsError, request_id: &str) -> Self {
        let fault = if error.status >= 500 { "Receiver" } else { "Sender" };
        let mut doc = xml::Writer::new();
        doc.open_with("ErrorResponse", "https://sts.amazonaws.com/doc/2011-06-15/");
        doc.open("Error").text("Type", fault).text("Code", error.code).text("Message", &error.message);
        doc.close("Error").text("RequestId", request_id).close("ErrorResponse");
        Self::xml(error.status, "text/xml", doc.finish()).with_record(error)
    }

    /// A refusal of EC2, which has a query protocol of its own.
    pub(crate) fn ec2_error(error: &AwsError, request_id: &str) -> Self {
        let mut doc = xml::Writer::new();
        doc.open("Response").open("Errors").open("Error");
        doc.text("Code", error.code).text("Message", &error.message);
        doc.close("Error").close("Errors").text("RequestID", request_id).close("Response");
        Self::xml(error.status, "text/xml;charset=UTF-8", doc.finish()).with_record(error)
    }

    /// A refusal of S3.
    pub(crate) fn s3_error(error: &AwsError, resource: &str, request_id: &str) -> Self {
        let mut doc = xml::Writer::new();
        doc.open("Error").text("Code", error.code).text("Message", &error.message);
        for (name, value) in &error.members {
            doc.text(name, value.as_str().unwrap_or_default());
        }
        doc.text("Resource", resource).text("RequestId", request_id).close("Error");
        Self::xml(error.status, "application/xml", doc.finish()).with_record(error)
    }

    fn with_record(mut self, error: &AwsError) -> Self {
        self.record = Some(json!({ "code": error.code, "message": error.message }));
        self
    }
}

/// A header of an answer.
pub(crate) fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// Reads the members of a JSON request into the operation's own type.
pub(crate) fn decode<T: DeserializeOwned>(body: &Value) -> Result<T, AwsError> {
    T::deserialize(body).map_err(|e| AwsError::serialization(e.to_string()))
}
