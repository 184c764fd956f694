output "name" {
  description = "Name of the bucket. Known when its policy is in force."
  value       = aws_s3_bucket.this.bucket
  depends_on  = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "policy" {
  description = "Policy document (JSON) of the bucket."
  value       = aws_s3_bucket_policy.this.policy
}
