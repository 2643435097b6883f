/**
 * Who may do what: the roles of workflow jobs that launch runners, of the tasks they launch, and of ECS.
 *
 * No access key and no GitHub token is anywhere. A job proves by its OIDC token which repository, environment or ref
 * it runs for, and gets a role that can launch this stack's tasks in this cluster and hand each its assignment. A task
 * can take its own assignment and do nothing else.
 *
 * ```hcl
 * module "identity" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/identity?ref=vVERSION"
 *
 *   name               = "prod"
 *   cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
 *   pools              = { linux-x64 = { family = "prod-linux-x64" } }
 *   mailbox_bucket_arn = "arn:aws:s3:::prod-mailbox"
 *   log_group_arn      = "arn:aws:logs:eu-west-1:123456789012:log-group:/fleetfoot/prod"
 *
 *   launchers = {
 *     default = { repositories = ["acme/shop"], refs = ["refs/heads/main"] }
 *   }
 * }
 * ```
 */

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  # arn:PARTITION:ecs:REGION:ACCOUNT of the cluster, and its name.
  ecs          = join(":", slice(split(":", var.cluster_arn), 0, 5))
  cluster_name = split("cluster/", var.cluster_arn)[1]
  tasks_arn    = "${local.ecs}:task/${local.cluster_name}/*"

  parameter_arn = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/fleetfoot/${var.name}"

  # Two parts below the prefix: the launch's nonce and the task's id.
  mailbox_objects_arn = "${var.mailbox_bucket_arn}/${var.mailbox_prefix}*/*"

  # What the App's key is, by its scheme.
  app_kms_key_arn = try(regex("^kms:(.+)$", var.app_key)[0], null)
  app_secret_arn  = try(regex("^secretsmanager:(.+)$", var.app_key)[0], null)

  task_role_arns     = { for name, pool in var.pools : name => pool.job_role == null ? aws_iam_role.task.arn : aws_iam_role.job[pool.job_role].arn }
  passable_role_arns = concat([aws_iam_role.execution.arn, aws_iam_role.task.arn], [for role in aws_iam_role.job : role.arn])
  s3_of_this_region  = "s3.${local.region}.${data.aws_partition.current.dns_suffix}"
  tasks_service      = "ecs-tasks.amazonaws.com"
  signing_algorithm  = "RSASSA_PKCS1_V1_5_SHA_256"
}
