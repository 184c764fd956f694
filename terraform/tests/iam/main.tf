# What IAM would answer, for tests: does a policy let this caller do that? It knows the operators that the modules use,
# and fails on others.
#
# Within one account: a request is allowed if any statement allows it and none denies it.

terraform {
  required_version = ">= 1.9"
}

variable "callers" {
  description = "ARNs of callers, by the names that the tests have for them."
  type        = map(string)
}

variable "identity" {
  description = "By caller, the policy documents (JSON) of its role."
  type        = map(list(string))
  default     = {}
}

variable "resource" {
  description = "Policy documents (JSON) of what is called."
  type        = list(string)
  default     = []
}

variable "root" {
  description = "What a target's ARN begins with where it is no ARN itself."
  type        = string
  default     = ""
}

variable "context" {
  description = "Condition keys of every request; a request's own stand above them."
  type        = map(string)
  default     = {}
}

variable "allowed" {
  description = "Requests by name that should be allowed."
  type = map(object({
    caller  = string
    action  = string
    target  = string
    context = optional(map(string), {})
  }))
  default = {}
}

variable "refused" {
  description = "Requests by name that should be refused."
  type = map(object({
    caller  = string
    action  = string
    target  = string
    context = optional(map(string), {})
  }))
  default = {}
}

locals {
  requests = { for name, request in merge(var.allowed, var.refused) : name => merge(request, {
    caller  = var.callers[request.caller]
    target  = startswith(request.target, "arn:") ? request.target : "${var.root}${request.target}"
    allowed = contains(keys(var.allowed), name)
  }) }

  special = "/[.+^$(){}|\\[\\]\\\\]/"

  documents = concat(
    flatten([for caller, documents in var.identity : [for document in documents : { document = document, callers = [var.callers[caller]] }]]),
    [for document in var.resource : { document = document, callers = null }],
  )

  statements = flatten([for each in local.documents : [for s in jsondecode(each.document).Statement : {
    effect  = s.Effect
    callers = jsonencode(each.callers != null ? each.callers : try(flatten(values(s.Principal)), [s.Principal]))
    actions = [for pattern in flatten([s.Action]) : "^${replace(replace(pattern, local.special, "\\$0"), "*", ".*")}$"]
    # The other way round for NotResource. A trust policy has neither.
    others  = can(s.NotResource)
    targets = [for pattern in flatten([try(s.NotResource, s.Resource, "*")]) : "^${replace(replace(replace(pattern, local.special, "\\$0"), "*", ".*"), "?", ".")}$"]
    conditions = flatten([for operator, keys in try(s.Condition, {}) : [for key, wanted in keys : {
      operator  = trimsuffix(operator, "IfExists")
      if_exists = endswith(operator, "IfExists")
      key       = key
      wanted    = [for value in flatten([wanted]) : tostring(value)]
    }]])
  }]])

  contexts = { for name, request in local.requests : name => merge(
    {
      "aws:PrincipalArn"     = request.caller
      "aws:PrincipalAccount" = try(split(":", request.caller)[4], "")
      "aws:SecureTransport"  = "true"
      "s3:TlsVersion"        = "1.3"
    },
    var.context,
    request.context,
  ) }

  effects = { for name, request in local.requests : name => [for s in local.statements : s.effect if alltrue([
    anytrue([for caller in jsondecode(s.callers) : caller == "*" || caller == request.caller || caller == "arn:aws:iam::${local.contexts[name]["aws:PrincipalAccount"]}:root"]),
    anytrue([for pattern in s.actions : can(regex(pattern, request.action))]),
    anytrue([for pattern in s.targets : can(regex(pattern, request.target))]) != s.others,
    alltrue([for c in s.conditions : (
      c.operator == "Null" ? contains(c.wanted, tostring(!contains(keys(local.contexts[name]), c.key))) :
      !contains(keys(local.contexts[name]), c.key) ? c.if_exists || c.operator == "StringNotEquals" || c.operator == "ArnNotEquals" :
      contains(["StringEquals", "ArnEquals", "Bool"], c.operator) ? contains(c.wanted, local.contexts[name][c.key]) :
      c.operator == "StringNotEquals" ? !contains(c.wanted, local.contexts[name][c.key]) :
      contains(["StringLike", "ArnLike"], c.operator) ? anytrue([for pattern in c.wanted : can(regex("^${replace(replace(replace(pattern, local.special, "\\$0"), "*", ".*"), "?", ".")}$", local.contexts[name][c.key]))]) :
      c.operator == "NumericLessThan" ? tonumber(local.contexts[name][c.key]) < tonumber(c.wanted[0]) :
      c.operator == "NumericLessThanEquals" ? tonumber(local.contexts[name][c.key]) <= tonumber(c.wanted[0]) :
      tobool("an operator that tests/iam does not know: ${c.operator}")
    )]),
  ])] }

  wrong = [for name, request in local.requests : "${name}: ${request.action} on ${request.target} by ${request.caller} is ${request.allowed ? "refused" : "allowed"}"
  if(contains(local.effects[name], "Allow") && !contains(local.effects[name], "Deny")) != request.allowed]
}

output "wrong" {
  description = "Requests that are answered otherwise than they should be."
  value       = local.wrong
}
