variable "region" {
  description = "AWS Region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: expected a Region such as eu-central-1."
  }
}

variable "name" {
  description = "Name of the API and its firewall. The KMS key lets logs of the name of examples/complete be encrypted, so take that."
  type        = string
  default     = "strongroom"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 20 of a-z 0-9 -, beginning with a letter and not ending with a hyphen."
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
  description = "Subnets to have the API's interface endpoint in."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids: expected two or more."
  }
}

variable "callers_security_group_id" {
  description = "Security group of the callers."
  type        = string

  validation {
    condition     = startswith(var.callers_security_group_id, "sg-")
    error_message = "callers_security_group_id: expected an id that begins with sg-."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key."
  }
}
