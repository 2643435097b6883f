//! Calls in AWS's query protocol: a form goes out, XML comes back. STS and EC2 speak it; an SDK crate for the
//! four calls of EC2 that are used would be the largest of all.
//!
//! All calls made here are reads, so they are repeated when AWS is busy or the way is broken.

use backon::Retryable;
use fleetfoot_core::fault::{Class, Fault};

use crate::errors::{self, Refusal};
use crate::signed::{Answer, Service, Signed, patience};
use crate::xml::read_error;

/// One call: what it is for, and what it needs.
pub(crate) struct Call<'a> {
    /// As the sentence "cannot …" goes on.
    pub(crate) what: &'a str,
    pub(crate) service: Service,
    /// The API's version, a date.
    pub(crate) version: &'static str,
    /// `DescribeSubnets`; with the service's name it is the IAM action as well.
    pub(crate) action: &'static str,
    pub(crate) parameters: &'a [(String, String)],
}

impl Call<'_> {
    /// Calls until there is an answer that is worth something; it may still be a refusal.
    ///
    /// # Errors
    /// When no answer came at all, or the service was busy or broken to the last.
    pub(crate) async fn send(&self, signed: &Signed) -> Result<Answer, Fault> {
        let once = || async {
            let answer = signed.send(self.what, self.service, self.request(signed)?).await?;
            match self.refusal(&answer) {
                Some(fault) if is_passing(&fault) => Err(fault),
                _ => Ok(answer),
            }
        };
        once.retry(patience()).when(is_passing).await
    }

    /// What an answer refuses, if it does.
    pub(crate) fn refusal(&self, answer: &Answer) -> Option<Fault> {
        if answer.status == 200 {
            return None;
        }
        let document = read_error(&answer.body);
        let refusal =
            Refusal { code: &document.code, message: &document.message, status: Some(answer.status) };
        let action = format!("{}:{}", self.service.name, self.action);
        Some(errors::classed(self.what, &action, &refusal))
    }

    fn request(&self, signed: &Signed) -> Result<http::Request<Vec<u8>>, Fault> {
        let endpoint = signed.endpoint(self.service);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", self.action)
            .append_pair("Version", self.version)
            .extend_pairs(self.parameters)
            .finish();
        http::Request::post(format!("{endpoint}/"))
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.into_bytes())
            .map_err(|error| {
                Fault::new(Class::Invalid, self.what, format!("the endpoint {endpoint:?} is no address"))
                    .because(error)
            })
    }
}

fn is_passing(fault: &Fault) -> bool {
    matches!(fault.class, Class::Unknown | Class::Throttled { .. })
}
