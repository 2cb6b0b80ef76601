/* The guest's side of the vsock test: sends back what comes on port 52, then says hello to the host's port 5000. */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 52};
    char data[65536];
    ssize_t size;
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0)
        return perror("listen"), 1;
    puts("vsock: listening");
    fflush(stdout);
    int peer = accept(listener, NULL, NULL);
    while ((size = read(peer, data, sizeof(data))) > 0)
        for (ssize_t done = 0, part; done < size; done += part)
            if ((part = write(peer, data + done, (size_t)(size - done))) <= 0)
                return perror("write"), 2;
    close(peer);
    int out = socket(AF_VSOCK, SOCK_STREAM, 0);
    address.svm_cid = VMADDR_CID_HOST;
    address.svm_port = 4999;
    if (connect(out, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 3; /* nobody listens there */
    close(out);
    out = socket(AF_VSOCK, SOCK_STREAM, 0);
    address.svm_port = 5000;
    if (connect(out, (struct sockaddr *)&address, sizeof(address)) < 0 || write(out, "hello", 5) != 5)
        return perror("connect"), 4;
    shutdown(out, SHUT_WR);
    return read(out, data, sizeof(data)) == 4 && memcmp(data, "bye\n", 4) == 0 ? 0 : 5;
}
