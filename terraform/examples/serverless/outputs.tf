output "registry" {
  description = "STRONGROOM_REGISTRY."
  value       = module.registry.uri
}

output "key" {
  description = "STRONGROOM_KEY."
  value       = module.keys.setting
}

output "put_key_command" {
  description = "Makes the sealing key. Once, as a publisher."
  value       = module.keys.put_key_command
}

output "repository_url" {
  description = "Where to push the image."
  value       = module.image.repository_url
}

output "publisher_policies" {
  description = "Policy documents (JSON) for the publishers' roles."
  value = {
    keys     = module.keys.publisher_policy
    image    = module.image.push_policy
    registry = module.registry.publisher_policy
  }
}

output "endpoint_name" {
  description = "The endpoint; null before the second apply."
  value       = module.endpoint.endpoint_name
}
