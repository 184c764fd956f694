output "uri" {
  description = "The registry, as STRONGROOM_REGISTRY wants it."
  value       = "s3://${module.bucket.name}/${var.prefix}"
}

output "bucket_name" {
  description = "Name of the bucket."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.bucket_arn
}

output "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket."
  value       = module.kms.arn
}

output "reader_policy" {
  description = "Policy document (JSON) for a role that serves models: GetObject on the prefix, nothing else of S3 but the lists it needs."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.reader_policy })
}

output "publisher_policy" {
  description = "Policy document (JSON) for a role that publishes models and moves aliases."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.publisher_policy })
}

output "upkeep_policy" {
  description = "Policy document (JSON) for a publisher that looks after the registry, too: `fsck`, `gc`, `erase`, `rotate --retire`."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.upkeep_policy })
}

output "bucket_policy" {
  description = "Policy document (JSON) of the bucket."
  value       = module.bucket.policy
}

output "kms_key_policy" {
  description = "Policy document (JSON) of the KMS key."
  value       = module.kms.policy
}
