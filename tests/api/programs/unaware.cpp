// A program that knows nothing of this library, whatever it is started with.
int main() { return 0; }
