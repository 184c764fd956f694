output "setting" {
  description = "The key, as --signing-key and STRONGROOM_SIGNING_KEY want it."
  value       = "kms:${module.kms.arn}"
}

output "public_key_command" {
  description = "Prints the public half, for a trust policy: `strongroom trust --publisher ci=FILE`."
  value       = "strongroom key public kms:${module.kms.arn}"
}

output "signer_policy" {
  description = "Policy document (JSON) for a role that signs."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.signer_policy })
}

output "kms_key_policy" {
  description = "Policy document (JSON) of the KMS key."
  value       = module.kms.policy
}
