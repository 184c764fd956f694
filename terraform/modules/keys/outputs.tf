output "secret_arn" {
  description = "ARN of the secret."
  value       = aws_secretsmanager_secret.this.arn
}

output "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the secret."
  value       = module.kms.arn
}

output "setting" {
  description = "The sealing key, as STRONGROOM_KEY wants it. Known when its policy is in force."
  value       = "secretsmanager:${aws_secretsmanager_secret.this.arn}"
  depends_on  = [aws_secretsmanager_secret_policy.this]
}

output "reader_policy" {
  description = "Policy document (JSON) for a role that opens models: GetSecretValue on this secret."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.reader_policy })
}

output "publisher_policy" {
  description = "Policy document (JSON) for a role that seals models and puts keys."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.publisher_policy })
}

output "put_key_command" {
  description = "Makes 32 random bytes and puts them into the secret, as a publisher. They touch neither a disk nor an argument nor Terraform."
  value       = "openssl rand 32 | aws secretsmanager put-secret-value --secret-id ${aws_secretsmanager_secret.this.arn} --secret-binary fileb:///dev/stdin --query VersionId --output text"
}

output "secret_policy" {
  description = "Policy document (JSON) of the secret."
  value       = aws_secretsmanager_secret_policy.this.policy
}

output "kms_key_policy" {
  description = "Policy document (JSON) of the KMS key."
  value       = module.kms.policy
}
