// An echo that counts its calls by what docs/observability.md shows: it says where it listens, calls each address that
// it reads, and ends when there is nothing more to read.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// text passes messages as the bytes that they are.
type text struct{}

func (text) Marshal(message any) ([]byte, error) { return []byte(*message.(*string)), nil }
func (text) Unmarshal(data []byte, message any) error {
	*message.(*string) = string(data)
	return nil
}
func (text) Name() string { return "proto" }

var echo = grpc.ServiceDesc{
	ServiceName: "test.v1.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "One", Handler: one}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Many", Handler: many, ServerStreams: true},
		{StreamName: "All", Handler: all, ClientStreams: true},
		{StreamName: "Each", Handler: each, ClientStreams: true, ServerStreams: true},
	},
}

func one(service any, ctx context.Context, decode func(any) error, observe grpc.UnaryServerInterceptor) (any, error) {
	message := new(string)
	if err := decode(message); err != nil {
		return nil, err
	}
	answer := func(context.Context, any) (any, error) {
		if *message == "fail" {
			return nil, status.Error(codes.NotFound, "asked for")
		}
		return message, nil
	}
	return observe(ctx, message, &grpc.UnaryServerInfo{Server: service, FullMethod: "/test.v1.Echo/One"}, answer)
}

// many answers as often as the message says, or once and then waits for its caller to go.
func many(_ any, stream grpc.ServerStream) error {
	var message string
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	if message == "wait" {
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	count, err := strconv.Atoi(message)
	if err != nil {
		return status.Error(codes.InvalidArgument, "no number")
	}
	for n := range count {
		answer := strconv.Itoa(n)
		if err := stream.SendMsg(&answer); err != nil {
			return err
		}
	}
	return nil
}

func all(_ any, stream grpc.ServerStream) error {
	count := 0
	for {
		var message string
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		return status.Error(codes.FailedPrecondition, "nothing came")
	}
	answer := strconv.Itoa(count)
	return stream.SendMsg(&answer)
}

func each(_ any, stream grpc.ServerStream) error {
	for {
		var message string
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if message == "fail" {
			return status.Error(codes.Aborted, "asked for")
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}

func call(connection *grpc.ClientConn, message string) codes.Code {
	var answer string
	return status.Code(connection.Invoke(context.Background(), "/test.v1.Echo/One", &message, &answer))
}

// callStream sends the messages and reads to the end; where it has to wait for that, it goes after the first answer.
func callStream(connection *grpc.ClientConn, desc *grpc.StreamDesc, messages ...string) codes.Code {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := connection.NewStream(ctx, desc, "/test.v1.Echo/"+desc.StreamName)
	if err != nil {
		return status.Code(err)
	}
	for _, message := range messages {
		if err := stream.SendMsg(&message); err != nil {
			break
		}
	}
	stream.CloseSend()
	for {
		var answer string
		if err := stream.RecvMsg(&answer); errors.Is(err, io.EOF) {
			return codes.OK
		} else if err != nil {
			return status.Code(err)
		} else if !desc.ServerStreams {
			return codes.OK
		} else if answer == "wait" {
			cancel()
		}
	}
}

func callAll(address string) ([]codes.Code, error) {
	connection, err := newClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(text{})),
	)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	many, all, each := &echo.Streams[0], &echo.Streams[1], &echo.Streams[2]
	return []codes.Code{
		call(connection, "hello"),
		call(connection, "hello"),
		call(connection, "fail"),
		callStream(connection, many, "3"),
		callStream(connection, many, "x"),
		callStream(connection, all, "a", "b"),
		callStream(connection, all),
		callStream(connection, each, "a", "b", "c"),
		callStream(connection, each, "fail"),
		callStream(connection, many, "wait"),
	}, nil
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func main() {
	calls, scrapes := listen(), listen()
	server := newServer(grpc.ForceServerCodec(text{}))
	server.RegisterService(&echo, nil)
	go server.Serve(calls)
	go http.Serve(scrapes, nil)
	fmt.Printf("{\"address\": %q, \"metrics\": %q}\n", calls.Addr(), scrapes.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		seen, err := callAll(lines.Text())
		if err != nil {
			log.Fatal(err)
		}
		numbers := []uint32{}
		for _, code := range seen {
			numbers = append(numbers, uint32(code))
		}
		answer, _ := json.Marshal(numbers)
		fmt.Println(string(answer))
	}
}
