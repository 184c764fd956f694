variable "name" {
  description = "Name of the VPC, and the beginning of the names in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,29}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 31 of a-z 0-9 -, beginning with a letter and not ending with a hyphen."
  }
}

variable "cidr_block" {
  description = "Private IPv4 range of the VPC, /16 to /22. Each availability zone gets a sixteenth of it."
  type        = string
  default     = "10.42.0.0/20"
  nullable    = false

  validation {
    condition     = can(regex("^(10|172[.](1[6-9]|2[0-9]|3[01])|192[.]168)[.].*/(1[6-9]|2[0-2])$", var.cidr_block)) && can(cidrhost(var.cidr_block, 0))
    error_message = "cidr_block: expected a private IPv4 range of /16 to /22, such as 10.42.0.0/20."
  }
}

variable "availability_zones" {
  description = "Zones to have a subnet in, such as `eu-central-1a`. SageMaker spreads instances over them."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 6 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones: expected 2 to 6 different zones."
  }
}

variable "services" {
  description = "AWS services to have an interface endpoint for. A model container needs `secretsmanager` only; the others are for callers, publishers and pipelines that work in this VPC."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "kms", "logs", "sagemaker.api", "sagemaker.runtime", "secretsmanager", "sts"]
  nullable    = false

  validation {
    condition     = contains(var.services, "secretsmanager") && length(setsubtract(var.services, ["ecr.api", "ecr.dkr", "kms", "logs", "sagemaker.api", "sagemaker.runtime", "secretsmanager", "sts"])) == 0
    error_message = "services: expected secretsmanager and any of ecr.api, ecr.dkr, kms, logs, sagemaker.api, sagemaker.runtime, sts."
  }
}

variable "bucket_arns" {
  description = "Buckets that the VPC may reach: the registry's, and those that the platform reads and writes for the model."
  type        = list(string)

  validation {
    condition     = length(var.bucket_arns) > 0 && alltrue([for arn in var.bucket_arns : can(regex("^arn:[a-z-]+:s3:::[a-z0-9-]+$", arn))])
    error_message = "bucket_arns: expected one or more ARNs of buckets, without wildcards."
  }
}

variable "secret_arns" {
  description = "Secrets that the VPC may reach."
  type        = list(string)

  validation {
    condition     = length(var.secret_arns) > 0 && alltrue([for arn in var.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+$", arn))])
    error_message = "secret_arns: expected one or more ARNs of secrets, without wildcards."
  }
}

variable "endpoint_names" {
  description = "SageMaker endpoints that callers in the VPC may invoke."
  type        = list(string)

  validation {
    condition     = length(var.endpoint_names) > 0 && alltrue([for name in var.endpoint_names : can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", name))])
    error_message = "endpoint_names: expected one or more names of SageMaker endpoints."
  }
}

variable "caller_security_group_ids" {
  description = "By a name of yours, security groups of callers in the VPC; they reach the interface endpoints."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for id in values(var.caller_security_group_ids) : startswith(id, "sg-")])
    error_message = "caller_security_group_ids: expected ids that begin with sg-."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the flow log."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "How long the flow log is kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: expected a retention that CloudWatch Logs knows, 30 or more: 30, 60, 90, 120, 150, 180, 365, 400, ..."
  }
}
