# How a job's token becomes a role. GitHub writes the token's subject in two forms: `repo:OWNER/NAME:…`, and for
# repositories created, renamed or moved after 2026-07-15 `repo:OWNER@ID/NAME@ID:…`. Both are accepted.

locals {
  create_provider   = length(var.launchers) > 0 && var.oidc_provider_arn == null
  oidc_provider_arn = local.create_provider ? aws_iam_openid_connect_provider.github[0].arn : var.oidc_provider_arn

  # What IAM calls the issuer in condition keys.
  issuer = var.oidc_provider_arn == null ? trimprefix(var.oidc_issuer, "https://") : split("oidc-provider/", var.oidc_provider_arn)[1]

  # Where in a repository a job may run, as the subject says it. An environment wins over a ref.
  contexts = {
    for name, launcher in var.launchers : name => concat(
      [for environment in launcher.environments : "environment:${environment}"],
      [for ref in launcher.refs : "ref:${ref}"],
      launcher.pull_requests ? ["pull_request"] : [],
    )
  }

  # Both forms of each repository. Without ids any id is accepted: `OWNER@*/NAME@*`.
  repositories = {
    for repository in distinct(flatten([for launcher in values(var.launchers) : launcher.repositories])) : repository => [
      "repo:${replace(repository, "/@[0-9]+/", "")}",
      "repo:${join("/", [for part in split("/", repository) : part == "*" || strcontains(part, "@") ? part : "${part}@*"])}",
    ]
  }

  subjects = {
    for name, launcher in var.launchers : name => concat(
      flatten([
        for repository in launcher.repositories : [
          for form in local.repositories[repository] : [for context in local.contexts[name] : "${form}:${context}"]
        ]
      ]),
      launcher.subjects,
    )
  }
}

# No thumbprint: AWS checks GitHub's certificate by its own trust store.
resource "aws_iam_openid_connect_provider" "github" {
  count          = local.create_provider ? 1 : 0
  url            = var.oidc_issuer
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

data "aws_iam_policy_document" "launcher_trust" {
  for_each = var.launchers

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = local.subjects[each.key]
    }
  }
}
