//! What the Describe calls find, page and refuse.

use serde_json::{Value, json};

use super::super::identity::{Caller, Identities, User};
use super::super::ids::Ids;
use super::super::sts::Form;
use super::*;

fn caller(action: &str) -> Caller {
    let mut identities = Identities::new("123456789012", "eu-west-1");
    let statement: Value = json!({ "Effect": "Allow", "Action": action, "Resource": "*" });
    let user = User {
        name: "u".into(),
        access_key_id: "K".into(),
        secret_access_key: "S".into(),
        policies: vec![json!({ "Statement": statement })],
    };
    identities.add_user(user, &mut Ids::new(Some(1))).unwrap();
    identities.caller(identities.key("K").unwrap())
}

fn ec2() -> Ec2 {
    let mut ec2 = Ec2::new("eu-west-1", "123456789012");
    for number in 0..7 {
        ec2.add_subnet(&format!("subnet-{number}"), if number == 0 { "eu-west-1b" } else { "eu-west-1a" });
    }
    ec2
}

fn call(ec2: &Ec2, operation: &str, form: &str) -> Result<String, (&'static str, u16)> {
    let form = Form::parse(form.as_bytes());
    let answer = ec2.answer(operation, &form, &caller("ec2:Describe*"), "r");
    answer.map(|answer| String::from_utf8(answer.body).unwrap()).map_err(|error| (error.code, error.status))
}

#[test]
fn filters_narrow_and_ids_must_be_there() {
    let ec2 = ec2();
    let count =
        |form: &str| call(&ec2, "DescribeSubnets", form).map(|answer| answer.matches("<subnetId>").count());
    assert_eq!(count(""), Ok(7));
    assert_eq!(count("SubnetId.1=subnet-1&SubnetId.2=subnet-2"), Ok(2));
    assert_eq!(count("SubnetId.1=subnet-1&SubnetId.2=subnet-x"), Err(("InvalidSubnetID.NotFound", 400)));
    let by = |values: &str| format!("Filter.1.Name=subnet-id&{values}");
    assert_eq!(count(&by("Filter.1.Value.1=subnet-1&Filter.1.Value.2=subnet-x")), Ok(1));
    assert_eq!(count(&by("Filter.1.Value.1=subnet-*")), Ok(7));
    let zone = "Filter.2.Name=availability-zone&Filter.2.Value.1=eu-west-1b";
    assert_eq!(count(&format!("{}&{zone}", by("Filter.1.Value.1=subnet-*"))), Ok(1));
    assert_eq!(count(&by("x=y")), Err(("InvalidParameterValue", 400)));
    assert_eq!(count("Filter.1.Name=tag:Name&Filter.1.Value.1=x"), Err(("NotImplemented", 501)));
    let many: Vec<String> = (1..=201).map(|v| format!("Filter.1.Value.{v}=x")).collect();
    assert_eq!(count(&by(&many.join("&"))), Err(("FilterLimitExceeded", 400)));
}

#[test]
fn pages_have_at_least_five() {
    let ec2 = ec2();
    let first = call(&ec2, "DescribeSubnets", "MaxResults=5").unwrap();
    assert_eq!(first.matches("<subnetId>").count(), 5);
    let token = first.split("<nextToken>").nth(1).unwrap().split('<').next().unwrap();
    let second = call(&ec2, "DescribeSubnets", &format!("MaxResults=5&NextToken={token}")).unwrap();
    assert_eq!(second.matches("<subnetId>").count(), 2);
    assert!(second.contains("subnet-6") && !second.contains("nextToken"));
    for (form, code) in [
        ("MaxResults=4", "InvalidParameterValue"),
        ("MaxResults=5&SubnetId.1=subnet-1", "InvalidParameterCombination"),
        ("NextToken=x", "InvalidNextToken"),
    ] {
        assert_eq!(call(&ec2, "DescribeSubnets", form), Err((code, 400)), "{form}");
    }
}

#[test]
fn a_vpc_has_one_main_table_and_a_subnet_one_of_its_own() {
    let mut ec2 = ec2();
    let table = |id: &str, main, subnets: &[&str]| RouteTable {
        id: id.into(),
        vpc: DEFAULT_VPC.into(),
        main,
        subnets: subnets.iter().map(|&id| id.to_owned()).collect(),
        routes: vec![Route::new("0.0.0.0/0", RouteTarget::NatGateway("nat-1".into()))],
    };
    ec2.put_table(table("rtb-1", true, &["subnet-1"]));
    ec2.put_table(table("rtb-2", false, &["subnet-1"]));
    let all = call(&ec2, "DescribeRouteTables", "").unwrap();
    assert_eq!((all.matches("<main>true</main>").count(), all.matches("<subnetId>").count()), (1, 1));
    let one = call(&ec2, "DescribeRouteTables", "RouteTableId.1=rtb-1").unwrap();
    assert!(one.contains("<main>true</main>") && !one.contains("subnet-1"), "{one}");
    assert!(one.contains("<natGatewayId>nat-1</natGatewayId><state>active</state>"), "{one}");
}

#[test]
fn iam_decides_and_ec2_words_it() {
    let refusal =
        ec2().answer("DescribeSubnets", &Form::parse(b""), &caller("ec2:DescribeVpcs"), "r").unwrap_err();
    assert_eq!((refusal.code, refusal.status), ("UnauthorizedOperation", 403));
    assert_eq!(
        refusal.message,
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/u is not \
         authorized to perform: ec2:DescribeSubnets because no identity-based policy allows the \
         ec2:DescribeSubnets action"
    );
    assert_eq!(call(&ec2(), "DescribeVpcs", ""), Err(("NotImplemented", 501)));
}
