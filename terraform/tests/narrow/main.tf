# Looks for what could be narrower, for tests: a `*` in an action or resource, anybody as the caller.

terraform {
  required_version = ">= 1.9"
}

variable "policies" {
  description = "Policy documents (JSON) by name."
  type        = map(string)
}

variable "own" {
  description = "Those of them that are policies of a KMS key, in which `*` means the key itself."
  type        = set(string)
  default     = []
}

locals {
  # The Service Authorization Reference lists no resource for these.
  unscopable = [
    "cloudwatch:PutMetricData",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "sts:GetCallerIdentity",
  ]

  allowing = flatten([for name, policy in var.policies : [for s in jsondecode(policy).Statement : {
    name      = "${name}/${s.Sid}"
    own       = contains(var.own, name)
    actions   = flatten([try(s.Action, "NotAction: *")])
    resources = flatten([try(s.Resource, "NotResource: *")])
    anybody   = contains(try(flatten(values(s.Principal)), [s.Principal], [""]), "*")
    condition = length(try(s.Condition, {})) > 0
  } if s.Effect == "Allow"]])

  # Of S3 a bucket, of others an account must be named: `arn:PARTITION:SERVICE:REGION:ACCOUNT:...`.
  unbound = "^arn:[^:]*:(s3:::[^/]*[*]|s3:::[*]|[^:]*:[^:]*:[*])"

  wide = concat(
    [for s in local.allowing : "${s.name}: an action with *" if anytrue([for action in s.actions : strcontains(action, "*")])],
    [for s in local.allowing : "${s.name}: any resource" if contains(s.resources, "*") && !s.own && length(setsubtract(s.actions, local.unscopable)) > 0],
    [for s in local.allowing : "${s.name}: a resource of any account or any bucket" if anytrue([for resource in s.resources : can(regex(local.unbound, resource))])],
    [for s in local.allowing : "${s.name}: anything but a resource" if anytrue([for resource in s.resources : startswith(resource, "NotResource")])],
    # The one exception: layers of images, in a bucket of ECR, by addresses that ECR signs.
    [for s in local.allowing : "${s.name}: anybody" if s.anybody && !s.condition && !alltrue([for resource in s.resources : endswith(resource, "-starport-layer-bucket/*")])],
  )
}

output "wide" {
  description = "Statements that allow more than they would have to."
  value       = local.wide
}

output "statements" {
  description = "How many statements that allow something were looked at."
  value       = length(local.allowing)
}
