variable "name" {
  description = "Name of the ECR repository."
  type        = string

  validation {
    condition     = length(var.name) >= 2 && length(var.name) <= 256 && can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", var.name))
    error_message = "name: expected 2 to 256 of a-z 0-9 with single . _ - between, parts joined by /."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the images."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn: expected the ARN of a KMS key."
  }
}

variable "keep_images" {
  description = "How many images are kept. An endpoint whose image is gone cannot scale out, so keep more than you roll back over."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.keep_images >= 10 && var.keep_images <= 1000 && floor(var.keep_images) == var.keep_images
    error_message = "keep_images: expected a whole number from 10 to 1000."
  }
}
