variable "bucket_name" {
  description = "Name of the bucket that is made for the registry."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name: expected 3 to 63 of a-z 0-9 -, beginning and ending with a letter or digit."
  }
}

variable "prefix" {
  description = "Where in the bucket the registry is: `s3://BUCKET/PREFIX`. One environment has one bucket."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*(/[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]*)*$", var.prefix))
    error_message = "prefix: expected segments of A-Z a-z 0-9 . _ - + = @ that do not begin with a dot, joined by /."
  }
}

variable "reader_role_arns" {
  description = "Roles that serve models from the registry."
  type        = list(string)

  validation {
    condition     = length(var.reader_role_arns) > 0 && alltrue([for arn in var.reader_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "reader_role_arns: expected one or more ARNs of roles, without * or ?."
  }
}

variable "publisher_role_arns" {
  description = "Roles that publish models into the registry and move aliases."
  type        = list(string)

  validation {
    condition     = length(var.publisher_role_arns) > 0 && alltrue([for arn in var.publisher_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "publisher_role_arns: expected one or more ARNs of roles, without * or ?."
  }

  validation {
    condition     = length(setintersection(var.reader_role_arns, var.publisher_role_arns)) == 0
    error_message = "publisher_role_arns: a role that serves models must not publish them."
  }
}

variable "reader_vpc_endpoint_ids" {
  description = "S3 endpoints of VPCs: readers read through these only. Empty: from anywhere."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.reader_vpc_endpoint_ids : startswith(id, "vpce-")])
    error_message = "reader_vpc_endpoint_ids: expected ids that begin with vpce-."
  }
}

variable "max_retention_days" {
  description = "Longest retention that a publisher may set on a sealed file or a log entry."
  type        = number
  default     = 3650
  nullable    = false

  validation {
    condition     = var.max_retention_days >= 1 && var.max_retention_days <= 36500 && floor(var.max_retention_days) == var.max_retention_days
    error_message = "max_retention_days: expected whole days from 1 to 36500."
  }
}
