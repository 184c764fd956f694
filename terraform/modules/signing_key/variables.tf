variable "name" {
  description = "Alias of the key, without `alias/`."
  type        = string
}

variable "signer_role_arns" {
  description = "Roles that sign: publishers, or authors."
  type        = list(string)

  validation {
    condition     = length(var.signer_role_arns) > 0 && alltrue([for arn in var.signer_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "signer_role_arns: expected one or more ARNs of roles, without * or ?."
  }
}
