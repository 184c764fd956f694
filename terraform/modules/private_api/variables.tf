variable "name" {
  description = "Name of the API, its firewall and its logs."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 31 of a-z 0-9 -, beginning with a letter and not ending with a hyphen."
  }
}

variable "endpoint_name" {
  description = "Name of the SageMaker endpoint."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", var.endpoint_name))
    error_message = "endpoint_name: expected 1 to 63 letters, digits and hyphens."
  }
}

variable "vpc_id" {
  description = "VPC of the callers."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id: expected an id that begins with vpc-."
  }
}

variable "subnet_ids" {
  description = "Subnets to have the API's interface endpoint in, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "subnet_ids: expected two or more ids that begin with subnet-."
  }
}

variable "caller_security_group_ids" {
  description = "By a name of yours, security groups of callers."
  type        = map(string)

  validation {
    condition     = alltrue([for id in values(var.caller_security_group_ids) : startswith(id, "sg-")])
    error_message = "caller_security_group_ids: expected ids that begin with sg-."
  }
}

variable "stage" {
  description = "Name of the stage: the first part of the path."
  type        = string
  default     = "live"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage))
    error_message = "stage: expected 1 to 128 of A-Z a-z 0-9 _ -."
  }
}

variable "requests_per_second" {
  description = "Requests a second that all callers together may make; more are answered 429. One address may make all of them."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 10000
    error_message = "requests_per_second: expected 1 to 10000."
  }
}

variable "set_account_log_role" {
  description = "Whether to set the one role with which API Gateway writes logs in this account and Region. False where it is set."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key."
  }
}
