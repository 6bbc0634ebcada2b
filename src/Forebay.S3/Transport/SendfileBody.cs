using System.Buffers;
using System.IO.Pipelines;
using Forebay.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Transport;

/// <summary>
/// Sends pieces of files as parts of a response body: by <c>sendfile(2)</c> where the connection can (plain HTTP/1.x with a known
/// length), else by copying. A body may be composed of any number of pieces and of ordinary writes between them.
/// </summary>
public static class SendfileBody
{
    /// <summary>
    /// Most bytes given to the connection by one flush. Kestrel's minimum data rate allows each flush its time in proportion, so this also
    /// bounds how long a client that reads nothing is kept.
    /// </summary>
    public const int MaxFlushBytes = 8 << 20;

    private const int CopyBytes = 256 << 10;

    /// <summary>
    /// Sends <paramref name="length"/> bytes of a file as the next part of the body and waits until the kernel has taken them. The file
    /// may be given back after that. For a rate limit, call it with as many bytes at a time as were granted.
    /// </summary>
    /// <param name="context">The request; <see cref="HttpResponse.ContentLength"/> has been set to the whole body's length. For HEAD nothing is sent.</param>
    /// <param name="file">Open for reading; the range stays unchanged until this returns.</param>
    /// <param name="offset">First byte in the file.</param>
    /// <param name="length">Bytes, ≥ 0.</param>
    /// <param name="cancellationToken">Aborts the connection when it fires between first and last byte, as the message is then cut.</param>
    /// <returns>True when all bytes were taken; false when the client is gone.</returns>
    /// <exception cref="IOException">The disk failed under the file, or it was shorter than asked; the connection was aborted for it.</exception>
    public static ValueTask<bool> SendAsync(HttpContext context, SafeFileHandle file, long offset, long length, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length == 0 || HttpMethods.IsHead(context.Request.Method))
        {
            return new ValueTask<bool>(true);
        }

        ISendfileFeature? sendfile = FindFeature(context);
        return sendfile is null
            ? CopyAsync(context, file, offset, length, cancellationToken)
            : SendCoreAsync(context, sendfile, file, offset, length, cancellationToken);
    }

    /// <summary>Whether bodies of this request leave by sendfile; for status and metrics.</summary>
    public static bool IsAvailable(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return FindFeature(context) is not null;
    }

    private static ISendfileFeature? FindFeature(HttpContext context)
    {
        // TLS and HTTP/2 frame the body, and so does chunked encoding: then the file's bytes are not the connection's bytes.
        return context.Response.ContentLength is not null
            && context.Request.Protocol.StartsWith("HTTP/1", StringComparison.Ordinal)
            && context.Features.Get<ITlsConnectionFeature>() is null
            && !context.Request.IsHttps
                ? context.Features.Get<ISendfileFeature>()
                : null;
    }

    private static async ValueTask<bool> SendCoreAsync(
        HttpContext context, ISendfileFeature sendfile, SafeFileHandle file, long offset, long length, CancellationToken cancellationToken)
    {
        if (!context.Response.HasStarted)
        {
            await context.Response.StartAsync(cancellationToken);
        }

        PipeWriter body = context.Response.BodyWriter;
        while (length > 0)
        {
            int piece = (int)Math.Min(length, MaxFlushBytes);
            sendfile.BeginFile(file, offset, piece);

            // One byte is asked for: our writer gives the whole piece anyway, and Kestrel, once the client is gone, gives memory of
            // the size asked for from the heap.
            if (!sendfile.IsFileMemory(body.GetMemory(1)))
            {
                sendfile.CancelFile();
                return !context.RequestAborted.IsCancellationRequested && await CopyAsync(context, file, offset, length, cancellationToken);
            }

            body.Advance(piece);
            FlushResult flushed = await FlushAsync(body, sendfile, cancellationToken);
            if (flushed.IsCompleted)
            {
                return false;
            }

            offset += piece;
            length -= piece;
        }

        return true;
    }

    /// <summary>The connection is aborted for a file that fails, and Kestrel may end the flush for that: as complete, cancelled or successful.</summary>
    private static async ValueTask<FlushResult> FlushAsync(PipeWriter body, ISendfileFeature sendfile, CancellationToken cancellationToken)
    {
        Exception? ended = null;
        FlushResult flushed = default;
        try
        {
            flushed = await body.FlushAsync(cancellationToken);
        }
        catch (Exception e) when (sendfile.HasFileFailed)
        {
            ended = e;
        }

        return sendfile.HasFileFailed ? throw new IOException("The file failed or ended early while it was sent.", ended) : flushed;
    }

    private static async ValueTask<bool> CopyAsync(HttpContext context, SafeFileHandle file, long offset, long length, CancellationToken cancellationToken)
    {
        await LoopThread.LeaveAsync();
        PipeWriter body = context.Response.BodyWriter;
        while (length > 0)
        {
            int wanted = (int)Math.Min(length, CopyBytes);
            int read = RandomAccess.Read(file, body.GetSpan(wanted)[..wanted], offset);
            if (read == 0)
            {
                context.Abort();
                throw new IOException("The file ended early while it was copied.");
            }

            body.Advance(read);
            FlushResult flushed = await body.FlushAsync(cancellationToken);
            if (flushed.IsCompleted)
            {
                return false;
            }

            offset += read;
            length -= read;
        }

        return true;
    }
}
