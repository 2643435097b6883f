/**
 * Where the runner's image is kept: one private ECR repository.
 *
 * Tags are immutable, so that a tag always means the same runner. Every push is scanned. What is old is deleted.
 *
 * ```hcl
 * module "registry" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/registry?ref=vVERSION"
 *
 *   name = "prod-runner"
 * }
 * ```
 */

resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:ECR encrypts with AES-256 without it; a KMS key costs a dollar a month and is asked for with kms_key_arn.
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete
  tags                 = var.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = concat(
      [{
        rulePriority = 1
        description  = "What a failed push has left behind"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 1 }
        action       = { type = "expire" }
      }],
      # Each architecture has images of its own: a count over both would drop the one that is built more rarely.
      [for i, arch in ["x86_64", "arm64"] : {
        rulePriority = 2 + i
        description  = "All but the newest for ${arch}"
        selection    = { tagStatus = "tagged", tagPatternList = ["*-${arch}"], countType = "imageCountMoreThan", countNumber = var.keep_images }
        action       = { type = "expire" }
      }],
    )
  })
}
