module github.example.com/example-org/orchard

go 1.24.4

require (
	github.com/golang-jwt/jwt/v5 v5.2.2
	golang.org/x/crypto v0.39.0 // indirect
	gopkg.in/yaml.v3 v3.0.1
	k8s.io/utils v0.0.0-20250604170112-4c0f3b243397
)
