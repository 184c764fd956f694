variable "name" {
  description = "Name of the secret."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9/_-]{0,99}$", var.name)) && !can(regex("-[A-Za-z0-9]{6}$", var.name))
    error_message = "name: expected 1 to 100 of a-z 0-9 / _ -, not ending in a hyphen and six characters, by which Secrets Manager tells ARNs from names."
  }
}

variable "reader_role_arns" {
  description = "Roles that open models: the execution roles of endpoints."
  type        = list(string)

  validation {
    condition     = length(var.reader_role_arns) > 0 && alltrue([for arn in var.reader_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "reader_role_arns: expected one or more ARNs of roles, without * or ?."
  }
}

variable "publisher_role_arns" {
  description = "Roles that seal models and put new keys."
  type        = list(string)

  validation {
    condition     = length(var.publisher_role_arns) > 0 && alltrue([for arn in var.publisher_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "publisher_role_arns: expected one or more ARNs of roles, without * or ?."
  }

  validation {
    condition     = length(setintersection(var.reader_role_arns, var.publisher_role_arns)) == 0
    error_message = "publisher_role_arns: a role that opens models must not put keys."
  }
}

variable "reader_vpc_endpoint_ids" {
  description = "Secrets Manager endpoints of VPCs: readers fetch the key through these only. Empty: from anywhere."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.reader_vpc_endpoint_ids : startswith(id, "vpce-")])
    error_message = "reader_vpc_endpoint_ids: expected ids that begin with vpce-."
  }
}
