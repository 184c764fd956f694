variable "name" {
  description = "Name of the bucket. Without dots, so that S3's certificate covers `NAME.s3.REGION.amazonaws.com`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 63 of a-z 0-9 -, beginning and ending with a letter or digit."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key (an alias is not enough: the bucket policy compares it)."
  }
}

variable "policies" {
  description = "Policy documents (JSON) whose statements are added to the bucket policy."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for policy in var.policies : can(jsondecode(policy).Statement[0].Sid)])
    error_message = "policies: expected JSON policy documents, each statement with a Sid."
  }
}

variable "object_lock" {
  description = "Whether retention can be set on objects. There is no default retention. Only when the bucket is made."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "By prefix, after how many days replaced and deleted versions are removed. Others are kept."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for days in values(var.noncurrent_days) : days >= 1 && floor(days) == days])
    error_message = "noncurrent_days: expected whole days, at least 1."
  }
}

variable "expire_days" {
  description = "After how many days all objects are removed; null keeps them."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "expire_days: expected whole days, at least 1, or null."
  }
}
