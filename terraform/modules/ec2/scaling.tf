locals {
  mixed = var.spot || length(var.instance_types) > 1
}

resource "aws_autoscaling_group" "this" {
  name                = var.name
  min_size            = var.min_size
  max_size            = var.max_size
  vpc_zone_identifier = var.subnet_ids

  # ECS takes the protection from an instance when its last task is gone; without it a scale-in would end jobs.
  protect_from_scale_in = true

  # Or a destroy would wait for ever for instances that are protected.
  force_delete = true

  health_check_type         = "EC2"
  health_check_grace_period = 60
  wait_for_capacity_timeout = "0"

  dynamic "launch_template" {
    for_each = local.mixed ? [] : ["one"]
    content {
      id      = aws_launch_template.this.id
      version = aws_launch_template.this.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = local.mixed ? ["mixed"] : []
    content {
      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.this.id
          version            = aws_launch_template.this.latest_version
        }

        dynamic "override" {
          for_each = var.instance_types
          content {
            instance_type = override.value
          }
        }
      }

      instances_distribution {
        # On demand in the order given; spot where capacity is deep, and cheap among that.
        on_demand_allocation_strategy            = "prioritized"
        on_demand_base_capacity                  = var.spot ? var.on_demand_base : 0
        on_demand_percentage_above_base_capacity = var.spot ? 0 : 100
        spot_allocation_strategy                 = "price-capacity-optimized"
      }
    }
  }

  # ECS adds this tag to every group that it scales.
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  # Names of instances and volumes come with the launch template; these are the group's own.
  dynamic "tag" {
    for_each = merge(var.tags, { Name = var.name })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }
}

resource "aws_ecs_capacity_provider" "this" {
  name = var.name
  tags = var.tags

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.this.arn
    managed_termination_protection = "ENABLED"
    managed_draining               = "ENABLED"

    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = var.target_capacity
      minimum_scaling_step_size = 1
      maximum_scaling_step_size = var.max_step
      instance_warmup_period    = var.warmup_seconds
    }
  }
}
