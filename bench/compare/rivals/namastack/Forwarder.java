package outbox.bench;

import io.namastack.outbox.annotation.OutboxHandler;
import io.namastack.outbox.handler.OutboxRecordMetadata;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.core.KafkaTemplate;

/**
 * An application that has only Namastack Outbox in it: it polls the outbox and publishes each event to Kafka.
 *
 * <p>The handler does what that of Namastack's Kafka module does (KafkaOutboxHandler: send, and wait for the acknowledgement),
 * because an event counts as completed when its handler returns. That module could not be had with Maven in this version.
 */
@SpringBootApplication
public class Forwarder {
  /** The event as it is in the outbox, in JSON. */
  public record Event(String topic, String type, String payload) {}

  /** The rows name it by its class, its method and the types of its parameters. */
  public static class Handler {
    private final KafkaTemplate<String, String> kafka;

    Handler(KafkaTemplate<String, String> kafka) {
      this.kafka = kafka;
    }

    @OutboxHandler
    public void handle(Event event, OutboxRecordMetadata metadata) throws Exception {
      kafka.send(event.topic(), metadata.getKey(), event.payload()).get();
    }
  }

  @Bean
  Handler handler(KafkaTemplate<String, String> kafka) {
    return new Handler(kafka);
  }

  public static void main(String[] arguments) throws InterruptedException {
    SpringApplication.run(Forwarder.class, arguments);
    Thread.currentThread().join();
  }
}
