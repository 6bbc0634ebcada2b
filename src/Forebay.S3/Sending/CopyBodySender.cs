using System.Buffers;
using System.IO.Pipelines;
using Forebay.Core;
using Forebay.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Sending;

/// <summary>Sends a body by copying it into the response's pipe: works over every connection, with TLS and without a cache tier.</summary>
internal sealed class CopyBodySender : IBodySender
{
    /// <summary>Bytes copied at once; measured best among 64 KiB to 1 MiB (docs/BENCHMARKS.md).</summary>
    private const int ChunkBytes = 256 * 1024;

    public static readonly CopyBodySender Instance = new();

    public async ValueTask SendAsync(HttpContext context, IObjectReader reader, ByteRange range, CancellationToken cancellationToken)
    {
        await LoopThread.LeaveAsync();
        PipeWriter writer = context.Response.BodyWriter;
        long offset = range.Offset;
        while (offset < range.End)
        {
            using FileSegment segment = await reader.GetSegmentAsync(offset, range.End - offset, cancellationToken);
            if (segment.IsEmpty)
            {
                offset += await CopyReadAsync(context, writer, reader, offset, range.End - offset, cancellationToken);
            }
            else
            {
                await StartAsync(context, cancellationToken);
                long copied = await CopySegmentAsync(writer, segment, cancellationToken);
                offset += copied;
                if (copied < segment.Length)
                {
                    // The file failed; the reader goes on without it.
                    reader.ReportUnreadable();
                }
            }
        }
    }

    private static ValueTask StartAsync(HttpContext context, CancellationToken cancellationToken)
        => context.Response.HasStarted ? default : new ValueTask(context.Response.StartAsync(cancellationToken));

    /// <summary>Copies a segment; fewer bytes than it has when its file cannot be read on.</summary>
    private static async ValueTask<long> CopySegmentAsync(PipeWriter writer, FileSegment segment, CancellationToken cancellationToken)
    {
        long done = 0;
        while (done < segment.Length)
        {
            int wanted = (int)Math.Min(ChunkBytes, segment.Length - done);
            Memory<byte> memory = writer.GetMemory(wanted);
            int read = TryRead(segment, done, memory.Span[..wanted]);
            if (read <= 0)
            {
                break;
            }

            writer.Advance(read);
            done += read;

            // Also after the last chunk: the end of a response with a content length does not flush what was only advanced.
            await FlushAsync(writer, cancellationToken);
        }

        return done;
    }

    /// <summary>0 when the file ends there or its disk fails.</summary>
    private static int TryRead(FileSegment segment, long done, Span<byte> destination)
    {
        try
        {
            return RandomAccess.Read(segment.File!, destination, segment.Offset + done);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async ValueTask<long> CopyReadAsync(
        HttpContext context, PipeWriter writer, IObjectReader reader, long offset, long remaining, CancellationToken cancellationToken)
    {
        int wanted = (int)Math.Min(ChunkBytes, remaining);
        if (context.Response.HasStarted)
        {
            int read = await reader.ReadAsync(offset, writer.GetMemory(wanted)[..wanted], cancellationToken);
            if (read <= 0)
            {
                ThrowShort(offset);
            }

            writer.Advance(read);
            await FlushAsync(writer, cancellationToken);
            return read;
        }

        // Headers wait for the first byte, and the pipe cannot hold a body before its headers: one extra copy.
        byte[] buffer = ArrayPool<byte>.Shared.Rent(wanted);
        try
        {
            int read = await reader.ReadAsync(offset, buffer.AsMemory(0, wanted), cancellationToken);
            if (read <= 0)
            {
                ThrowShort(offset);
            }

            await StartAsync(context, cancellationToken);
            writer.Write(buffer.AsSpan(0, read));
            await FlushAsync(writer, cancellationToken);
            return read;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async ValueTask FlushAsync(PipeWriter writer, CancellationToken cancellationToken)
    {
        FlushResult result = await writer.FlushAsync(cancellationToken);
        if (result.IsCompleted || result.IsCanceled)
        {
            throw new ConnectionResetException("The client closed the connection.");
        }
    }

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    private static void ThrowShort(long offset)
        => throw new ForebayException(ErrorKind.Corrupt, $"The object ended at byte {offset}, before its length.");
}
