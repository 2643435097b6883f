//! Service Quotas: what GetServiceQuota says of Fargate's vCPUs. Source: Service Quotas API Reference.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::wire::{Answer, decode};

/// The quotas that are simulated: service, code and name.
const KNOWN: [(&str, &str, &str); 2] = [
    ("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count"),
    ("fargate", "L-36FBB829", "Fargate Spot vCPU resource count"),
];

/// What a new account has of each.
const OF_A_NEW_ACCOUNT: f64 = 6.0;

/// The quotas of one account and region.
pub(crate) struct Quotas {
    values: [f64; KNOWN.len()],
}

impl Default for Quotas {
    fn default() -> Self {
        Self { values: [OF_A_NEW_ACCOUNT; KNOWN.len()] }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetServiceQuota {
    service_code: String,
    quota_code: String,
    context_id: Option<String>,
}

impl Quotas {
    /// Sets a quota by its code; false if it is not simulated.
    pub(crate) fn set(&mut self, code: &str, value: f64) -> bool {
        let position = KNOWN.iter().position(|(_, known, _)| *known == code);
        position.map(|index| self.values[index] = value).is_some()
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        region: &str,
    ) -> Result<Answer, AwsError> {
        if operation != "GetServiceQuota" {
            return Err(AwsError::not_simulated(format!("ServiceQuotasV20190624.{operation}")));
        }
        let get: GetServiceQuota = decode(body)?;
        caller.check("servicequotas:GetServiceQuota", "*", &caller.context())?;
        if get.context_id.is_some() {
            return Err(AwsError::not_simulated("a quota of a single resource"));
        }
        let same =
            |(service, code, _): &(&str, &str, &str)| *service == get.service_code && *code == get.quota_code;
        let index = KNOWN.iter().position(same).ok_or_else(|| {
            AwsError::new(
                "NoSuchResourceException",
                "The request failed because the specified service or quota does not exist.",
            )
        })?;
        let (service, code, name) = KNOWN[index];
        Ok(Answer::json(json!({ "Quota": {
            "ServiceCode": service, "ServiceName": "AWS Fargate", "QuotaCode": code, "QuotaName": name,
            "QuotaArn": format!("arn:aws:servicequotas:{region}:{}:{service}/{code}", caller.account),
            "Value": self.values[index], "Unit": "None", "Adjustable": true, "GlobalQuota": false,
        } })))
    }
}
