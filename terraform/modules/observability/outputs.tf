output "kms_key_arn" {
  description = "ARN of the KMS key for logs, alarms, images and volumes."
  value       = module.kms.arn
}

output "topic_arn" {
  description = "ARN of the SNS topic that is told of alarms."
  value       = aws_sns_topic.alarms.arn
}

output "rollback_alarms" {
  description = "The alarms that guard a deployment: ARNs by name."
  value       = { for alarm in aws_cloudwatch_metric_alarm.guard : alarm.alarm_name => alarm.arn }
}

output "endpoint_log_group_arn" {
  description = "ARN of the endpoint's log group."
  value       = aws_cloudwatch_log_group.endpoint.arn
}

output "audit_log_group_name" {
  description = "Name of the log group of the audit trail."
  value       = aws_cloudwatch_log_group.audit.name
}

output "trail_arn" {
  description = "ARN of the audit trail."
  value       = aws_cloudtrail.this.arn
}

output "kms_key_policy" {
  description = "Policy document (JSON) of the KMS key."
  value       = module.kms.policy
}

output "topic_policy" {
  description = "Policy document (JSON) of the SNS topic."
  value       = aws_sns_topic_policy.alarms.policy
}

output "trail_bucket_policy" {
  description = "Policy document (JSON) of the trail's bucket."
  value       = module.trail_bucket.policy
}
