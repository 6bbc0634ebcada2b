using System.Text;

namespace Forebay.Mounting.Processes;

/// <summary>
/// Standard error of a process that must not wait: a terminal that is halted, or a pipe that nobody reads, takes nothing. Lines it does not take at once are left out, and
/// told when it takes some again. The descriptor stays in its mode, which it shares with other programs. Thread-safe.
/// </summary>
/// <param name="descriptor">Standard error.</param>
internal sealed unsafe class StandardError(int descriptor) : TextWriter
{
    /// <summary>Pipes that can be written to take this many bytes at once.</summary>
    private const int MaxLineBytes = 4096;

    private readonly Lock _lock = new();
    private long _leftOut;

    public override Encoding Encoding => Encoding.UTF8;

    public override void WriteLine(string? value)
    {
        lock (_lock)
        {
            string text = _leftOut == 0 ? $"{value}\n" : $"({_leftOut} lines were left out here) {value}\n";
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            if (bytes.Length > MaxLineBytes)
            {
                bytes[MaxLineBytes - 1] = (byte)'\n';
            }

            Native.PollEntry entry = new() { Descriptor = descriptor, Events = Native.PollOut };
            if (Native.Poll(&entry, 1, 0) != 1 || (entry.Returned & Native.PollOut) == 0)
            {
                _leftOut++;
                return;
            }

            fixed (byte* start = bytes)
            {
                // What a full disk or a closed pipe refuses is nothing that the mount should end by.
                _ = Native.Write(descriptor, start, (nuint)Math.Min(bytes.Length, MaxLineBytes));
            }

            _leftOut = 0;
        }
    }
}
