plugins { kotlin("jvm") version "2.2.0"; id("org.springframework.boot") version "3.5.3" }
group = "com.example"
version = "2.14.0"
dependencies {
    implementation("org.springframework:spring-core:6.2.8")
    testImplementation(kotlin("test"))
}
kotlin { jvmToolchain(21) }
