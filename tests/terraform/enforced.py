"""Takes each role and tries what it may and what it may not, with moto's IAM enforcement switched on.

moto is a reader of policies that is not ours. It weighs the lists of actions and explicit denials, and
nothing else: it asks most services' policies about the resource `*`, and passes conditions by. So the
documents are tried with every resource made `*`; resources and conditions have tests of their own, in
crates/cli/tests/terraform. Standard input is a JSON object: `endpoint`, `region` and `roles`, a list
of `name`, `policies` (documents) and `questions`, a list of `action` and `allowed`. Ends with an error that
names every surprise.
"""

import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}

# How each action is asked for. What the call would find is of no interest, only whether it is let in.
CALLS = {
    "codebuild:StartBuild": ("start_build", {"projectName": "x"}),
    "ecr:BatchDeleteImage": ("batch_delete_image", {"repositoryName": "x", "imageIds": [{"imageTag": "x"}]}),
    "ecr:BatchGetImage": ("batch_get_image", {"repositoryName": "x", "imageIds": [{"imageTag": "x"}]}),
    "ecr:GetAuthorizationToken": ("get_authorization_token", {}),
    "ecr:PutImage": ("put_image", {"repositoryName": "x", "imageManifest": "{}"}),
    "ecs:DeleteCluster": ("delete_cluster", {"cluster": "x"}),
    "ecs:DescribeTaskDefinition": ("describe_task_definition", {"taskDefinition": "x"}),
    "ecs:DescribeTasks": ("describe_tasks", {"cluster": "x", "tasks": ["x"]}),
    "ecs:ExecuteCommand": ("execute_command", {"cluster": "x", "task": "x", "command": "x", "interactive": True}),
    "ecs:ListTasks": ("list_tasks", {"cluster": "x"}),
    "ecs:RegisterTaskDefinition": ("register_task_definition", {"family": "x", "containerDefinitions": []}),
    "ecs:RunTask": ("run_task", {"cluster": "x", "taskDefinition": "x"}),
    "ecs:StopTask": ("stop_task", {"cluster": "x", "task": "x"}),
    "ecs:TagResource": ("tag_resource", {"resourceArn": "arn:aws:ecs:eu-west-1:123456789012:task/x/x", "tags": [{"key": "x", "value": "x"}]}),
    "ecs:UpdateService": ("update_service", {"cluster": "x", "service": "x"}),
    "events:PutRule": ("put_rule", {"Name": "x", "EventPattern": "{}"}),
    "iam:CreateRole": ("create_role", {"RoleName": "x", "AssumeRolePolicyDocument": json.dumps(TRUST)}),
    "iam:PutRolePolicy": ("put_role_policy", {"RoleName": "x", "PolicyName": "x", "PolicyDocument": "{}"}),
    "kms:Decrypt": ("decrypt", {"CiphertextBlob": b"x"}),
    "kms:Sign": ("sign", {"KeyId": "x", "Message": b"x", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}),
    "logs:CreateLogGroup": ("create_log_group", {"logGroupName": "x"}),
    "logs:CreateLogStream": ("create_log_stream", {"logGroupName": "x", "logStreamName": "x"}),
    "logs:GetLogEvents": ("get_log_events", {"logGroupName": "x", "logStreamName": "x"}),
    "logs:PutLogEvents": ("put_log_events", {"logGroupName": "x", "logStreamName": "x", "logEvents": []}),
    "s3:DeleteObject": ("delete_object", {"Bucket": "some-bucket", "Key": "x"}),
    "s3:GetObject": ("get_object", {"Bucket": "some-bucket", "Key": "x"}),
    "s3:ListBucket": ("list_objects_v2", {"Bucket": "some-bucket"}),
    "s3:PutObject": ("put_object", {"Bucket": "some-bucket", "Key": "x", "Body": b""}),
    "secretsmanager:GetSecretValue": ("get_secret_value", {"SecretId": "x"}),
    "sqs:DeleteMessage": ("delete_message", {"QueueUrl": "{endpoint}/123456789012/x", "ReceiptHandle": "x"}),
    "sqs:ReceiveMessage": ("receive_message", {"QueueUrl": "{endpoint}/123456789012/x"}),
    "sqs:SendMessage": ("send_message", {"QueueUrl": "{endpoint}/123456789012/x", "MessageBody": "x"}),
    "ssm:GetParameter": ("get_parameter", {"Name": "x"}),
    "ssm:PutParameter": ("put_parameter", {"Name": "x", "Value": "x", "Type": "String"}),
    "sts:AssumeRole": ("assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "x"}),
}


class Account:
    def __init__(self, endpoint, region):
        self.endpoint, self.region = endpoint, region

    def client(self, service, **credentials):
        credentials = credentials or {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
        config = Config(parameter_validation=False, retries={"max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, config=config, **credentials)

    def enforce(self, after):
        """Lets moto ask policies, after so many more calls."""
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", data=after.encode(), method="POST")
        request.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(request).close()


def flattened(document):
    """The same policy for every resource and on no condition."""
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    kept = ("Effect", "Action", "NotAction")
    flat = [{**{k: v for k, v in s.items() if k in kept}, "Resource": "*"} for s in statements]
    # A denial on a condition is no denial for everybody.
    return {"Version": "2012-10-17", "Statement": [f for f, s in zip(flat, statements) if s["Effect"] == "Allow" or "Condition" not in s]}


def session(account, role):
    """Makes a role with these policies, and takes it."""
    iam, name = account.client("iam"), role["name"]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    for number, document in enumerate(role["policies"]):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(flattened(document)))
    taken = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="tries")["Credentials"]
    return {
        "aws_access_key_id": taken["AccessKeyId"],
        "aws_secret_access_key": taken["SecretAccessKey"],
        "aws_session_token": taken["SessionToken"],
    }


def let_in(account, credentials, action):
    service = action.split(":")[0]
    method, arguments = CALLS[action]
    arguments = {k: v.format(endpoint=account.endpoint) if isinstance(v, str) and k == "QueueUrl" else v for k, v in arguments.items()}
    try:
        getattr(account.client(service, **credentials), method)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] not in REFUSALS
    return True


def main():
    task = json.load(sys.stdin)
    account = Account(task["endpoint"], task["region"])
    sessions = [(role, session(account, role)) for role in task["roles"]]
    account.enforce("0")
    surprises, asked = [], 0
    for role, credentials in sessions:
        for question in role["questions"]:
            asked += 1
            if let_in(account, credentials, question["action"]) != question["allowed"]:
                word = "cannot" if question["allowed"] else "can"
                surprises.append(f"{role['name']} {word} {question['action']}")
    account.enforce("inf")
    if surprises or not asked:
        sys.exit("\n".join(surprises) or "nothing was asked")
    print(f"moto agrees on {asked} actions of {len(sessions)} roles")


main()
