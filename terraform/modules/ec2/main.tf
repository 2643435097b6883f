/**
 * A fleet of EC2 instances: an auto-scaling group that ECS scales as a capacity provider, from nothing and back.
 *
 * Instances pull the runner's image at boot and keep it, so tasks start in seconds. Tasks reach no instance metadata:
 * three locks keep them from the instance's role. No instance ends while a task runs on it.
 *
 * ```hcl
 * module "fleet" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/ec2?ref=vVERSION"
 *
 *   name               = "prod-cached"
 *   cluster_name       = "prod"
 *   subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
 *   security_group_ids = ["sg-0a1b2c3d4e5f60718"]
 *   instance_types     = ["c6i.large", "c6a.large"]
 *   min_size           = 1
 *   prepull_images     = ["ghcr.io/acme/fleetfoot-runner:TAG"]
 * }
 * ```
 */

data "aws_partition" "current" {}

resource "aws_launch_template" "this" {
  name                   = var.name
  description            = "Instances of the fleet ${var.name}"
  update_default_version = true
  instance_type          = var.instance_types[0]
  user_data              = base64encode(local.user_data)
  tags                   = var.tags

  # Resolved at each launch: new instances are never older than AWS's newest, and no plan changes because of it.
  image_id = coalesce(var.ami_id, "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/${var.arch == "arm64" ? "arm64/" : ""}recommended/image_id")

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  network_interfaces {
    #checkov:skip=CKV_AWS_88:In a public subnet without a NAT gateway a public address is the only way out. Nothing is let in.
    associate_public_ip_address = var.associate_public_ip
    security_groups             = var.security_group_ids
    delete_on_termination       = true
  }

  # IMDSv2 only, and its answer dies at the first hop: a container in bridge mode is one hop further.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  monitoring {
    enabled = false
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume_size
      encrypted             = true
      kms_key_id            = var.volume_kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = var.name })
    }
  }
}
