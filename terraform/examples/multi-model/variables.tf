variable "region" {
  description = "AWS Region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: expected a Region such as eu-central-1."
  }
}

variable "name" {
  description = "Name of the endpoint, and the beginning of all other names."
  type        = string
  default     = "models"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 3 && length(var.name) <= 20
    error_message = "name: expected 3 to 20 of a-z 0-9 and single hyphens, beginning with a letter."
  }
}

variable "image_digest" {
  description = "Digest of the image in the ECR repository, `sha256:HEX`. Null, for the first apply, makes everything but the endpoint."
  type        = string
  default     = null

  validation {
    condition     = var.image_digest == null ? true : can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "image_digest: expected sha256: and 64 hexadecimal digits."
  }
}

variable "publisher_role_arns" {
  description = "Roles that put keys, push images and publish models. Attach `publisher_policies` to them."
  type        = list(string)

  validation {
    condition     = length(var.publisher_role_arns) > 0 && alltrue([for arn in var.publisher_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "publisher_role_arns: expected one or more ARNs of roles, without * or ?."
  }
}
