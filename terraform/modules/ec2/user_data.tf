data "aws_region" "current" {}

locals {
  user_data = templatefile("${path.module}/user_data.sh.tftpl", {
    cluster    = var.cluster_name
    region     = data.aws_region.current.id
    images     = var.prepull_images
    parameters = var.prepull_parameters
  })
}
