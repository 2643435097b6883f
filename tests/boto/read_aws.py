"""Reads the simulated AWS with boto3 and the AWS CLI, clients that know nothing of it.

Every answer of a JSON service is checked against the service model that botocore carries: known
members only, and of the right type, so that strictly typed SDKs can read it too. Finds its world in the
environment, as crates/sim/tests/aws_boto.rs sets it up. Ends with an error at the first surprise.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CHECKED = {"answers": 0}
CONFIG = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
VPC = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}}

JSON_TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
    "double": (int, float),
    "float": (int, float),
}


def check_shape(value, shape, path):
    """Fails if a JSON value is not what the model says."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), f"{path} is {value!r}, not an object"
        for name, member in value.items():
            assert name in shape.members, f"{path}.{name} is not in the model"
            if member is not None:
                check_shape(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), f"{path} is {value!r}, not a list"
        for index, item in enumerate(value):
            check_shape(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map":
        assert isinstance(value, dict), f"{path} is {value!r}, not a map"
        for name, item in value.items():
            check_shape(item, shape.value, f"{path}[{name!r}]")
    else:
        expected = JSON_TYPES[shape.type_name]
        right = isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
        assert right, f"{path} is {value!r}, not {shape.type_name}"
        allowed = getattr(shape, "enum", None)
        assert not allowed or value in allowed, f"{path} is {value!r}, not one of {allowed}"


def client(service, session=None):
    made = (session or boto3).client(service, config=CONFIG)

    def before_parse(operation_model, response_dict, **_):
        if operation_model.service_model.protocol != "json" or response_dict["status_code"] >= 300:
            return
        if operation_model.output_shape is not None:
            check_shape(json.loads(response_dict["body"]), operation_model.output_shape, operation_model.name)
            CHECKED["answers"] += 1

    made.meta.events.register("before-parse.*.*", before_parse)
    return made


def refused(code, call, **arguments):
    """Calls and expects a refusal; gives the error's answer."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} was expected, and this came: {answer}")


def until(what, look, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited too long for {what}")


def ecs_and_logs():
    ecs, logs = client("ecs"), client("logs")
    call = {
        "cluster": "prod",
        "taskDefinition": "runner",
        "count": 2,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "networkConfiguration": VPC,
        "startedBy": "boto/1",
        "clientToken": "boto-1",
        "enableECSManagedTags": True,
        "tags": [{"key": "run", "value": "1"}],
        "overrides": {"containerOverrides": [{"name": "runner", "environment": [{"name": "WHO", "value": "boto"}]}]},
    }
    started = ecs.run_task(**call)
    arns = [task["taskArn"] for task in started["tasks"]]
    assert len(arns) == 2 and started["failures"] == []
    assert started["tasks"][0]["lastStatus"] == "PROVISIONING"
    assert [task["taskArn"] for task in ecs.run_task(**call)["tasks"]] == arns
    conflict = refused("ConflictException", ecs.run_task, **{**call, "count": 1})
    assert conflict["resourceIds"] == arns, conflict
    missing = ecs.describe_tasks(cluster="prod", tasks=arns)
    assert [failure["reason"] for failure in missing["failures"]] == ["MISSING", "MISSING"]

    def running():
        tasks = ecs.describe_tasks(cluster="prod", tasks=arns, include=["TAGS"])["tasks"]
        return len(tasks) == 2 and all(task["lastStatus"] == "RUNNING" for task in tasks) and tasks

    task = until("RUNNING", running)[0]
    times = [task[name] for name in ("createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt")]
    assert times == sorted(times), times
    assert task["capacityProviderName"] == "FARGATE_SPOT" and task["cpu"] == "1024"
    assert {tag["key"] for tag in task["tags"]} == {"run", "aws:ecs:clusterName"}

    pages = ecs.get_paginator("list_tasks").paginate(cluster="prod", startedBy="boto/1", PaginationConfig={"PageSize": 1})
    assert [arn for page in pages for arn in page["taskArns"]] == arns
    assert ecs.list_tasks(cluster="prod", startedBy="other")["taskArns"] == []
    refused("InvalidParameterException", ecs.list_tasks, cluster="prod", startedBy="boto/1", family="runner")

    stream = f"runner/runner/{arns[0].rsplit('/', 1)[1]}"
    stopped = ecs.stop_task(cluster="prod", task=arns[0], reason="done")["task"]
    assert stopped["desiredStatus"] == "STOPPED" and stopped["stopCode"] == "UserInitiated"

    def over():
        found = ecs.describe_tasks(cluster="prod", tasks=arns[:1])["tasks"][0]
        return found["lastStatus"] == "STOPPED" and found

    task = until("STOPPED", over)
    assert task["containers"][0]["exitCode"] == 0 and task["stoppedReason"] == "done"
    assert ecs.list_tasks(cluster="prod", desiredStatus="STOPPED")["taskArns"] == arns[:1]
    refused("InvalidParameterException", ecs.stop_task, cluster="prod", task="0" * 32)

    found = logs.describe_log_streams(logGroupName="/boto", logStreamNamePrefix=stream)["logStreams"]
    assert [one["logStreamName"] for one in found] == [stream]
    page = logs.get_log_events(logGroupName="/boto", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["hello boto", "bye"], page
    after = logs.get_log_events(logGroupName="/boto", logStreamName=stream, nextToken=page["nextForwardToken"])
    assert after["events"] == [] and after["nextForwardToken"] == page["nextForwardToken"]
    hits = logs.filter_log_events(logGroupName="/boto", filterPattern="hello")["events"]
    assert len(hits) == 2, hits
    refused("ResourceNotFoundException", logs.get_log_events, logGroupName="/none", logStreamName="x")
    logs.create_log_group(logGroupName="/new")
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/new")

    refused("InvalidParameterException", ecs.run_task, **{**call, "clientToken": "x", "count": 11})
    refused("InvalidParameterException", ecs.run_task, **{**call, "clientToken": "x", "launchType": "FARGATE"})
    refused("ClusterNotFoundException", ecs.run_task, **{**call, "cluster": "none"})
    refused("ClientException", ecs.run_task, **{**call, "taskDefinition": "none"})


def queues():
    """Reads what became of the tasks of ecs_and_logs from the queue that their events go to."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
    call = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "MessageSystemAttributeNames": ["All"]}
    versions, last = {}, {}
    while messages := sqs.receive_message(**call).get("Messages"):
        for message in messages:
            event = json.loads(message["Body"])
            assert (event["source"], event["detail-type"]) == ("aws.ecs", "ECS Task State Change"), event
            detail = event["detail"]
            assert event["resources"] == [detail["taskArn"]] and "tags" not in detail
            versions.setdefault(detail["taskArn"], []).append(detail["version"])
            last[detail["taskArn"]] = detail
            assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
        assert len(sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(messages)
    assert all(found == sorted(set(found)) for found in versions.values()), versions
    stopped = [detail for detail in last.values() if detail["lastStatus"] == "STOPPED"]
    assert stopped and stopped[0]["stoppedAt"].endswith("Z") and stopped[0]["containers"][0]["exitCode"] == 0

    sqs.send_message(QueueUrl=url, MessageBody="late")
    taken = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"][0]
    again = sqs.receive_message(QueueUrl=url)["Messages"][0]
    assert taken["MessageId"] == again["MessageId"] and taken["ReceiptHandle"] != again["ReceiptHandle"]
    count = "ApproximateNumberOfMessagesNotVisible"
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[count])["Attributes"] == {count: "1"}
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    made = sqs.create_queue(QueueName="other")["QueueUrl"]
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.receive_message, QueueUrl=f"{made}-2")
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=made, ReceiptHandle="x")
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=made, WaitTimeSeconds=21)


def ecs_definitions():
    ecs = client("ecs")
    clusters = ecs.describe_clusters(clusters=["prod", "none"])
    assert clusters["clusters"][0]["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert clusters["failures"][0]["reason"] == "MISSING"
    assert ecs.list_clusters()["clusterArns"] == [clusters["clusters"][0]["clusterArn"]]
    registered = ecs.register_task_definition(
        family="other",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="512",
        memory="1 GB",
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        containerDefinitions=[{"name": "main", "image": "nowhere:1", "readonlyRootFilesystem": True}],
        tags=[{"key": "team", "value": "build"}],
    )["taskDefinition"]
    assert registered["revision"] == 1 and registered["memory"] == "1024"
    found = ecs.describe_task_definition(taskDefinition="other:1", include=["TAGS"])
    assert found["taskDefinition"] == registered and found["tags"] == [{"key": "team", "value": "build"}]
    assert found["taskDefinition"]["containerDefinitions"][0]["readonlyRootFilesystem"] is True
    refused("ClientException", ecs.describe_task_definition, taskDefinition="none")
    arn = ecs.run_task(
        cluster="prod", taskDefinition="other", launchType="FARGATE", networkConfiguration=VPC
    )["tasks"][0]["taskArn"]

    def failed():
        tasks = ecs.describe_tasks(cluster="prod", tasks=[arn])["tasks"]
        return tasks and tasks[0]["lastStatus"] == "STOPPED" and tasks[0]

    task = until("the failed pull", failed)
    assert task["stopCode"] == "TaskFailedToStart" and "CannotPullContainerError" in task["stoppedReason"], task
    assert task["attributes"] == [{"name": "ecs.cpu-architecture", "value": "arm64"}]


def s3():
    s3 = client("s3")
    for key, body in (("plain", b"one"), ("with space/and+plus/\u00fc", b"two"), ("empty", b"")):
        s3.put_object(Bucket="mail", Key=key, Body=body, Metadata={"kind": "test"}, IfNoneMatch="*")
        found = s3.get_object(Bucket="mail", Key=key)
        assert found["Body"].read() == body and found["Metadata"] == {"kind": "test"}
        refused("PreconditionFailed", s3.put_object, Bucket="mail", Key=key, Body=b"other", IfNoneMatch="*")
    for algorithm in ("SHA256", "CRC32"):
        s3.put_object(Bucket="mail", Key="sum", Body=b"sum", ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket="mail", Key="plain", Range="bytes=1-1")["Body"].read() == b"n"
    assert s3.head_object(Bucket="mail", Key="plain")["ContentLength"] == 3
    refused("NoSuchKey", s3.get_object, Bucket="mail", Key="none")
    refused("NoSuchBucket", s3.get_object, Bucket="none", Key="none")
    refused("404", s3.head_object, Bucket="mail", Key="none")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="mail", PaginationConfig={"PageSize": 2})
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    assert keys == ["empty", "plain", "sum", "with space/and+plus/\u00fc"], keys
    s3.delete_object(Bucket="mail", Key="plain")
    s3.delete_object(Bucket="mail", Key="plain")
    gone = s3.delete_objects(Bucket="mail", Delete={"Objects": [{"Key": key} for key in keys]})
    assert [item["Key"] for item in gone["Deleted"]] == keys and "Errors" not in gone
    assert s3.list_objects_v2(Bucket="mail")["KeyCount"] == 0


def parameters_and_secrets():
    ssm, secrets = client("ssm"), client("secretsmanager")
    assert json.loads(ssm.get_parameter(Name="/stack/prod")["Parameter"]["Value"]) == {"version": 1}
    assert ssm.put_parameter(Name="/stack/test", Value="x", Type="SecureString")["Version"] == 1
    assert ssm.get_parameter(Name="/stack/test", WithDecryption=True)["Parameter"]["Value"] == "x"
    assert ssm.get_parameter(Name="/stack/test")["Parameter"]["Value"] != "x"
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/stack/test", Value="y", Type="String")
    refused("ParameterNotFound", ssm.get_parameter, Name="/none")
    refused("ValidationException", ssm.get_parameter, Name="not/absolute")
    secret = secrets.get_secret_value(SecretId="app/key")
    assert secret["SecretString"] == "hush"
    assert secrets.get_secret_value(SecretId=secret["ARN"])["Name"] == "app/key"
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="none")


def network_and_quotas():
    ec2, quotas, s3 = client("ec2"), client("service-quotas"), client("s3")
    subnets = ec2.describe_subnets(SubnetIds=["subnet-1"])["Subnets"]
    assert [subnet["AvailabilityZone"] for subnet in subnets] == ["eu-west-1a"], subnets
    assert subnets[0]["AvailableIpAddressCount"] == 4091 and subnets[0]["State"] == "available"
    by_vpc = [{"Name": "vpc-id", "Values": [subnets[0]["VpcId"], "vpc-none"]}]
    table = ec2.describe_route_tables(Filters=by_vpc)["RouteTables"][0]
    assert table["Associations"][0]["Main"] is True, table
    routes = {route["DestinationCidrBlock"]: route["GatewayId"] for route in table["Routes"]}
    assert routes["172.31.0.0/16"] == "local" and routes["0.0.0.0/0"].startswith("igw-"), routes
    endpoint = ec2.describe_vpc_endpoints(Filters=by_vpc)["VpcEndpoints"][0]
    assert endpoint["VpcEndpointType"] == "Gateway" and endpoint["RouteTableIds"] == [table["RouteTableId"]], endpoint
    assert endpoint["ServiceName"] == "com.amazonaws.eu-west-1.s3" and endpoint["State"] == "available"
    groups = ec2.get_paginator("describe_security_groups").paginate(Filters=by_vpc, PaginationConfig={"PageSize": 5})
    groups = {group["GroupName"]: group for page in groups for group in page["SecurityGroups"]}
    assert groups["default"]["IpPermissionsEgress"] == [
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    ], groups
    refused("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=["subnet-none"])
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=["sg-none"])
    refused("AuthFailure", client("ec2", boto3.Session("AKIANOBODY", "x")).describe_subnets)

    quota = quotas.get_service_quota(ServiceCode="fargate", QuotaCode="L-36FBB829")["Quota"]
    assert quota["QuotaName"] == "Fargate Spot vCPU resource count" and quota["Value"] == 6.0, quota
    refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="fargate", QuotaCode="L-0")

    rules = s3.get_bucket_lifecycle_configuration(Bucket="mail")["Rules"]
    assert rules == [
        {"ID": "old", "Filter": {"Prefix": "mailbox/"}, "Status": "Enabled", "Expiration": {"Days": 1}}
    ], rules
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="plain")
    refused("BadDigest", s3.put_object, Bucket="mail", Key="x", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    refused("NoSuchKey", s3.get_object, Bucket="mail", Key="x")


def identities():
    sts = client("sts")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/boto"
    call = {"RoleArn": "arn:aws:iam::123456789012:role/launcher", "RoleSessionName": "run-1"}
    assumed = sts.assume_role_with_web_identity(
        **call, WebIdentityToken=os.environ["WEB_IDENTITY_TOKEN"], DurationSeconds=900
    )
    assert assumed["SubjectFromWebIdentityToken"] == "repo:acme/app:ref:refs/heads/main"
    denied = refused(
        "AccessDenied", sts.assume_role_with_web_identity, **call, WebIdentityToken=os.environ["FOREIGN_TOKEN"]
    )
    assert denied["Error"]["Message"] == "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    refused("InvalidIdentityToken", sts.assume_role_with_web_identity, **call, WebIdentityToken="a.b.c")

    given = assumed["Credentials"]
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    who = client("sts", session).get_caller_identity()["Arn"]
    assert who == "arn:aws:sts::123456789012:assumed-role/launcher/run-1", who
    # May read, may not list: a missing key looks forbidden.
    refused("AccessDenied", client("s3", session).get_object, Bucket="mail", Key="none")
    error = refused("AccessDeniedException", client("ecs", session).list_tasks, cluster="prod")
    assert f"User: {who} is not authorized to perform: ecs:ListTasks" in error["Error"]["Message"], error

    wrong = boto3.Session("AKIABOTO", "not-the-secret")
    refused("InvalidSignatureException", client("ecs", wrong).list_tasks, cluster="prod")
    refused("SignatureDoesNotMatch", client("s3", wrong).get_object, Bucket="mail", Key="x")
    refused("SignatureDoesNotMatch", client("sts", wrong).get_caller_identity)
    nobody = boto3.Session("AKIANOBODY", "x")
    refused("UnrecognizedClientException", client("ssm", nobody).get_parameter, Name="/stack/prod")


def command_line():
    aws = pathlib.Path(sys.executable).with_name("aws")
    if not aws.exists():
        print("skipped: no AWS CLI beside this Python")
        return

    def run(*arguments, **options):
        return subprocess.run([aws, *arguments], check=True, capture_output=True, **options).stdout

    listed = json.loads(run("ecs", "list-tasks", "--cluster", "prod", "--desired-status", "STOPPED"))
    assert len(listed["taskArns"]) == 2, listed
    described = json.loads(run("ecs", "describe-tasks", "--cluster", "prod", "--tasks", listed["taskArns"][0]))
    assert described["tasks"][0]["lastStatus"] == "STOPPED"
    # From a pipe, so that the CLI sends it in chunks.
    run("s3", "cp", "-", "s3://mail/piped", input=b"x" * 100_000)
    assert run("s3", "cp", "s3://mail/piped", "-") == b"x" * 100_000


def main():
    checks = (ecs_and_logs, queues, ecs_definitions, s3, parameters_and_secrets, network_and_quotas, identities, command_line)
    for check in checks:
        check()
        print(f"{check.__name__}: ok")
    assert CHECKED["answers"] > 30, CHECKED
    print(f"all checks passed, {CHECKED['answers']} answers held against botocore's models")


main()
