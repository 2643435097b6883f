//! How many vCPUs an account may have on Fargate at a time.

use fleetfoot_core::fault::{Class, Fault};
use serde::Deserialize;
use serde_json::json;

use crate::aws::Aws;
use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::Service;

const SERVICE_QUOTAS: Service = Service { name: "servicequotas", id: "Service Quotas" };

/// One of the two quotas on Fargate's vCPUs, each for a whole account in a region (AWS General Reference,
/// "Amazon ECS endpoints and quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FargateVcpus {
    /// "Fargate On-Demand vCPU resource count".
    OnDemand,
    /// "Fargate Spot vCPU resource count".
    Spot,
}

impl FargateVcpus {
    /// The quota's code in Service Quotas, under the service `fargate`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OnDemand => "L-3032A538",
            Self::Spot => "L-36FBB829",
        }
    }

    /// `on-demand` or `spot`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    quota: Quota,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quota {
    value: f64,
}

impl Aws {
    /// How many vCPUs the account may have of this kind, all of its tasks and pods together.
    ///
    /// # Errors
    /// `Denied` if quotas may not be looked at, `NotFound` if Service Quotas does not have it in this region.
    pub async fn fargate_vcpus(&self, kind: FargateVcpus) -> Result<f64, Fault> {
        let what = format!("read the quota of Fargate {} vCPUs", kind.word());
        let call = Call {
            what: &what,
            service: SERVICE_QUOTAS,
            target: "ServiceQuotasV20190624.GetServiceQuota",
            action: "servicequotas:GetServiceQuota",
            input: &json!({"ServiceCode": "fargate", "QuotaCode": kind.code()}),
        };
        let answer: Answer =
            JsonRpc::new(&self.signed).call(&call, |refusal| refused(&what, refusal)).await?;
        Ok(answer.quota.value)
    }
}

/// The service's own code (Service Quotas API Reference, GetServiceQuota).
fn refused(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    (refusal.code == "NoSuchResourceException").then(|| Fault::new(Class::NotFound, what, refusal.said()))
}
